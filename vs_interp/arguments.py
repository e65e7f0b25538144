"""Checks of arguments, all worded alike; a wrong type gets as clear a message as a value out of range."""

from __future__ import annotations

from typing import TypeGuard

from .errors import ArgumentError
from .log import logger


def is_whole(value: object, least: int = 1, most: int | None = None) -> TypeGuard[int]:
    """Whether a value is an integer in a range; ``True`` and ``64.0`` do not count as integers."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value >= least and (most is None or value <= most)  # type: ignore[operator]


def check_whole(name: str, value: object, *, least: int = 1, most: int | None = None, examples: str = "") -> int:
    """Return an integer in a range.  Raises :class:`ArgumentError` that names the argument and the range."""
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
    """Raise :class:`ArgumentError` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ArgumentError(f"{name} is {value!r}: it must be {' or '.join(map(repr, choices))}")


def warn_renamed(old: str, new: str) -> None:
    """Warn that an old name was used, which still works."""
    logger.warning("%s is now called %s: the old name will be removed", old, new)
