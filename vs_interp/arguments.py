"""Checks of arguments, all worded alike; a wrong type gets as clear a message as a value out of range."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from numbers import Rational, Real
from typing import TypeGuard

from .errors import ArgumentError
from .log import logger

Rate = int | float | Fraction | tuple[int, int]

SIMPLEST = 1001
"""A float is read as the fraction within a ten-millionth of it whose denominator is no larger than this."""


def is_whole(value: object, least: int = 1, most: int | None = None) -> TypeGuard[int]:
    """Whether a value is an integer in a range; ``True`` and ``64.0`` do not count as integers."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value >= least and (most is None or value <= most)  # type: ignore[operator]


def is_real(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, of Python, NumPy or ``fractions``; ``True`` does not count as one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return isinstance(value, Rational) or isfinite(value)


def check_whole(name: str, value: object, *, least: int = 1, most: int | None = None, examples: str = "") -> int:
    """Return an integer in a range.  Raises :class:`ArgumentError` that names the argument and the range."""
    if is_whole(value, least, most):
        return value
    ends = f"from {least} up" if most is None else f"from {least} to {most}"
    raise ArgumentError(f"{name} is {value!r}: it must be a whole number {ends}{examples and f', such as {examples}'}")


def check_share(name: str, value: object, example: str) -> float:
    """Return a number in (0, 1].  Raises :class:`ArgumentError` that names the argument."""
    if is_real(value) and 0 < value <= 1:
        return float(value)
    raise ArgumentError(f"{name} is {value!r}: it must lie in (0, 1], such as {example}")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise :class:`ArgumentError` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ArgumentError(f"{name} is {value!r}: it must be {' or '.join(map(repr, choices))}")


def as_rate(fps: Rate) -> Fraction:
    """Return an exact frame rate; 23.976, 29.97, 59.94 and the like are read as n·1000/1001.

    Raises :class:`ArgumentError`.
    """
    if isinstance(fps, tuple):
        if len(fps) != 2 or not all(isinstance(part, int) for part in fps) or fps[1] == 0:
            raise ArgumentError(f"fps is {fps}: a pair must be two whole numbers, such as (60000, 1001)")
        fps = Fraction(*fps)
    if isinstance(fps, float) and isfinite(fps) and fps > 0 and round(fps) != fps:
        nominal = round(fps * 1.001)
        if abs(fps - nominal / 1.001) < 0.006:
            return Fraction(nominal * 1000, 1001)
    exact = as_fraction(fps, "fps", "60, 59.94 or (60000, 1001)")
    if exact <= 0:
        raise ArgumentError(f"fps is {fps}: it must be above 0")
    return exact


def as_fraction(value: object, name: str, examples: str) -> Fraction:
    """Return a number as an exact fraction.  Raises :class:`ArgumentError` that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise ArgumentError(f"{name} is {value!r}: it must be a number such as {examples}")
    try:
        exact = Fraction(value)
    except (ValueError, OverflowError) as error:
        raise ArgumentError(f"{name} is {value}: it must be a number such as {examples}") from error
    if isinstance(value, float):
        exact = exact.limit_denominator(SIMPLEST)
        if abs(float(exact) - value) > 1e-7 * abs(value):
            raise ArgumentError(f"{name} is {value}: it is not a simple ratio, give one such as {examples}")
    return exact


def warn_renamed(old: str, new: str) -> None:
    """Warn that an old name was used, which still works."""
    logger.warning("%s is now called %s: the old name will be removed", old, new)
