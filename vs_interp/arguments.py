"""What callers hand over, checked in one wording: a wrong type gets the same care as a wrong value."""

from __future__ import annotations

from typing import TypeGuard

from .errors import ArgumentError
from .log import logger


def is_whole(value: object, least: int = 1, most: int | None = None) -> TypeGuard[int]:
    """Whether a value is a whole number in a range; ``True`` and ``64.0`` are none."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value >= least and (most is None or value <= most)  # type: ignore[operator]


def check_whole(name: str, value: object, *, least: int = 1, most: int | None = None, examples: str = "") -> int:
    """Return a whole number.  Raises :class:`ArgumentError` that names the argument and what it may be."""
    if is_whole(value, least, most):
        return value
    ends = f"from {least} up" if most is None else f"from {least} to {most}"
    raise ArgumentError(f"{name} is {value!r}: it must be a whole number {ends}{examples and f', such as {examples}'}")


def check_share(name: str, value: object, example: str) -> float:
    """Return a number in (0, 1].  Raises :class:`ArgumentError` that names the argument."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
        return value
    raise ArgumentError(f"{name} is {value!r}: it must lie in (0, 1], such as {example}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise :class:`ArgumentError` unless a value is one of the words."""
    if value not in choices:
        raise ArgumentError(f"{name} is {value!r}: it must be {' or '.join(map(repr, choices))}")


def renamed(old: str, new: str) -> None:
    """Say that something is called otherwise now; it still works."""
    logger.warning("%s is called %s now: the old name will go", old, new)
