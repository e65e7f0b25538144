"""Reading recipes from TOML, with changed keys, and saying in one line what is wrong with one."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import tomlkit
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vs_interp.errors import ArgumentError
from vs_interp.registry import network_class

from .recipe import Recipe
from .recipe_data import Source

MOST_SHOWN = 3
"""This many errors of a recipe are shown; the rest are only counted."""

TABLES = ("network", "data", "data.variation", "losses", "training", "schedule", "validation")
"""Tables in which a key is looked up that is given without its table."""


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe from a file, with ``changes`` of the form ``KEY=VALUE`` (see :func:`changed`).

    Raises :class:`ArgumentError`, which names the file and the wrong keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArgumentError(f"cannot read the recipe {path} ({reason}): name a .toml file") from error
    try:
        return parse_recipe(changed(text, changes))
    except ArgumentError as error:
        raise ArgumentError(f"{path}: {error}") from error


def parse_recipe(text: str) -> Recipe:
    """Parse a recipe from TOML.  Raises :class:`ArgumentError`, which names the wrong keys."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"this is not valid TOML ({error}): fix the recipe") from error
    try:
        recipe = Recipe.model_validate({**values, "text": text})
    except ValidationError as error:
        wrong = [_problem(detail) for detail in error.errors()]
        more = f" and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
        raise ArgumentError(f"{'; '.join(wrong[:MOST_SHOWN])}{more}: fix the recipe") from error
    if recipe.network:
        network_class(str(recipe.network.get("name")))
    return recipe


def changed(text: str, changes: Sequence[str]) -> str:
    """Return a recipe's text with some keys changed; comments are kept.

    A change is ``KEY=VALUE``.  The key has its tables before it (``training.learning_rate``, ``data.source.0.share``),
    which may be omitted if only one table can have it.  The value is written as in TOML, but text needs no quotes.
    Raises :class:`ArgumentError` for unknown and ambiguous keys.
    """
    if not changes:
        return text
    try:
        document = tomlkit.parse(text)
    except tomlkit.exceptions.ParseError as error:
        raise ArgumentError(f"this is not valid TOML ({error}): fix the recipe") from error
    for change in changes:
        key, sign, value = (part.strip() for part in change.partition("="))
        if not sign or not key:
            raise ArgumentError(f"{change!r} is not a change: give KEY=VALUE, such as training.learning_rate=1e-4")
        _set(document, key if "." in key else _with_table(key, document), _value(value))
    return tomlkit.dumps(document)


def _set(document: Any, key: str, value: Any) -> None:
    """Set a key of nested tables, creating those that are missing."""
    *tables, last = key.split(".")
    place = document
    for name in tables:
        place = place.setdefault(name, tomlkit.table()) if isinstance(place, dict) else _entry(place, name, key)
    if isinstance(place, dict):
        place[last] = value
    else:
        _entry(place, last, key)
        place[int(last)] = value


def _entry(place: Any, name: str, key: str) -> Any:
    """Return an entry of an array of tables, such as the second of ``data.source``."""
    if not isinstance(place, list) or not name.isdecimal() or int(name) >= len(place):
        there = f"has the entries 0 to {len(place) - 1}" if isinstance(place, list) else "is not a table"
        raise ArgumentError(f"{key!r} cannot be set: the key before {name!r} {there}")
    return place[int(name)]


def _with_table(key: str, document: Mapping[str, Any]) -> str:
    """Return a key with its table before it.  Raises :class:`ArgumentError` if no table or several have it."""
    if key in Recipe.model_fields:
        return key
    places = [f"{table}.{key}" for table in TABLES if key in _keys(table, document)]
    if key in Source.model_fields:
        sources = document.get("data", {}).get("source", ())
        places = [*(f"data.source.{number}.{key}" for number in range(len(sources))), *places]
    if len(places) == 1:
        return places[0]
    if places:
        raise ArgumentError(f"the key {key!r} is ambiguous: give one of {', '.join(places)}")
    known = {name for table in TABLES for name in _keys(table, document)}
    close = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {close[0]}?" if close else "give it with its table, such as training.steps"
    raise ArgumentError(f"no table of a recipe has the key {key!r}: {hint}")


def _keys(table: str, document: Mapping[str, Any]) -> set[str]:
    """Return the keys that a table may have: those of its class or, if it has none, those in the document."""
    kind: Any = Recipe
    for name in table.split("."):
        document = document.get(name, {})
        kind = _table_class(kind, name)
    return set(kind.model_fields) if kind is not None else set(document)


def _table_class(kind: Any, name: str) -> type[BaseModel] | None:
    """Return the class of a table, or of the tables in an array; ``None`` for a table with arbitrary keys."""
    found = kind.model_fields[name].annotation
    classes = [one for one in (found, *get_args(found)) if isinstance(one, type) and issubclass(one, BaseModel)]
    return classes[0] if classes else None


def _value(text: str) -> Any:
    """Return a value parsed as TOML, or else as text."""
    try:
        return tomlkit.parse(f"value = {text}").unwrap()["value"]
    except tomlkit.exceptions.ParseError:
        return text


def _problem(detail: ErrorDetails) -> str:
    """Return what is wrong with one key, in words."""
    place = ".".join(str(part) for part in detail["loc"]) or "recipe"
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(detail["loc"][-1]), _neighbours(detail["loc"]), 1)
        return f"{place} is not a key of a recipe{f', did you mean {close[0]}?' if close else ''}"
    given = detail["input"]
    shown = f" ({given!r})" if isinstance(given, str | int | float | list | tuple) else ""
    return f"{place}{shown}: {detail['msg'].removeprefix('Value error, ')}"


def _neighbours(place: tuple[int | str, ...]) -> Iterator[str]:
    """Yield the valid keys of the table in which a key was given."""
    kind: Any = Recipe
    for name in place[:-1]:
        if isinstance(name, str) and kind is not None and name in kind.model_fields:
            kind = _table_class(kind, name)
    yield from kind.model_fields if kind is not None else ()
