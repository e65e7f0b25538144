"""A backend's options given as text: ``devices=0+1,streams=2,dynamic=256x256+1280x768+1920x1152``."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vs_interp.arguments import warn_renamed
from vs_interp.errors import ArgumentError

from .base import Backend

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

PLAIN: Mapping[Any, Callable[[str], object]] = {
    int: int,
    float: float,
    str: str,
    bool: lambda text: BOOLEANS[text.lower()],
    type(None): lambda text: {"none": None}[text.lower()],
}
"""Type → how its values are read from text.  Raises :class:`ValueError` or :class:`KeyError` for other text."""

UNIONS = (Union, types.UnionType)


def with_options[B: Backend](kind: type[B], text: str) -> B:
    """Return a backend with the options given as ``option=value,option=value``.

    Several values of an option are joined by ``+``, width and height by ``x``.  Raises :class:`ArgumentError` for
    unknown options and for values of the wrong type.
    """
    hints = get_type_hints(kind)
    options = [field.name for field in dataclasses.fields(kind) if field.init]
    values: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        option, _, value = (piece.strip() for piece in part.partition("="))
        if option == "slots" and "streams" in options:
            warn_renamed("slots", "streams")
            option = "streams"
        if option not in options or not value:
            raise ArgumentError(f"the backend {kind.name} has no option {part!r}: it has {', '.join(options)}")
        try:
            values[option] = _read(value, hints[option])
        except (ValueError, KeyError) as error:
            raise ArgumentError(
                f"the backend {kind.name} cannot take {part!r}: give {option}={_described(hints[option])}"
            ) from error
    return kind(**values)


def _read(text: str, hint: Any) -> object:
    """Return a text as a value of the given type; of a union, the first type that fits.

    Raises :class:`ValueError` or :class:`KeyError` if none does.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint](text)
    if origin is Literal:
        return {str(value): value for value in parts}[text]
    if origin in UNIONS:
        return _first(text, parts)
    pieces = re.split(r"\+" if "+" in text or origin is Sequence else "x", text)
    inner = parts * len(pieces) if origin is Sequence else parts
    return tuple(_read(piece, part) for piece, part in zip(pieces, inner, strict=True))


def _first(text: str, hints: Sequence[Any]) -> object:
    for hint in sorted(hints, key=lambda hint: hint is str):
        try:
            return _read(text, hint)
        except (ValueError, KeyError):
            continue
    raise ValueError(text)


def _described(hint: Any) -> str:
    """Return what may be typed for a type, for error messages."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return {int: "NUMBER", float: "NUMBER", str: "TEXT", bool: "yes or no"}.get(hint, "none")
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in UNIONS:
        return " or ".join(map(_described, parts))
    if origin is Sequence:
        return f"{_described(parts[0])}+{_described(parts[0])}+…"
    return ("+" if any(get_args(part) for part in parts) else "x").join(map(_described, parts))
