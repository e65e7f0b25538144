"""Resuming a run with a changed recipe: changes that can take effect are reported, others are errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vs_interp.errors import CheckpointError
from vs_interp.log import logger

from .checkpoints import State
from .recipe import Recipe
from .recipe_file import parse_recipe

FIXED = ("network", "data.source", "training.seed", "training.optimiser", "training.start", "training.frozen")
"""Keys that must not change: with other values it would be a different run, which may start from the old weights."""


def check_resumed(state: State, recipe: Recipe, data: Mapping[str, str], last: Path, *, say: bool) -> None:
    """Check that a run can be resumed with a recipe and, if ``say``, log the changes of the recipe since.

    ``data`` maps the addresses of data sets to their fingerprints; ``last`` are the weights from which a new run could
    start.  Raises :class:`CheckpointError`, which lists the differences that make it another run.
    """
    step = state.values["step"]
    found = list(differences(parse_recipe(state.values["recipe"]), parse_recipe(recipe.text)))  # as they were written
    refused = [told for key, told in found if key.startswith(FIXED)]
    known = state.values["data"]
    refused += [f"the frames of {name} have changed" for name, mark in data.items() if known.get(name, mark) != mark]
    if refused:
        raise CheckpointError(
            f"the run at step {step} cannot be resumed with this recipe ({'; '.join(refused)}): undo the change, or "
            f"start a new run in another folder with --set training.start={last}"
        )
    if found and say:
        logger.info("from step %d on: %s", step, "; ".join(told for _, told in found))


def differences(before: Recipe, now: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the keys that differ, and a description of each difference."""
    old, new = (dict(_leaves(recipe.model_dump(mode="json", exclude={"text"}))) for recipe in (before, now))
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key):
            yield key, f"{key} is {_shown(new.get(key))}, it was {_shown(old.get(key))}"


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values in nested tables and arrays of tables, each with its dotted key."""
    if isinstance(value, Mapping) and value:
        entries: Any = value.items()
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        entries = enumerate(value)
    else:
        yield key, value
        return
    for name, entry in entries:
        yield from _leaves(entry, f"{key}.{name}" if key else str(name))


def _shown(value: Any) -> str:
    return "not there" if value is None else str(value)
