"""Stages: a recipe may begin with the weights that other recipes give, which are then trained before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vs_interp.errors import ArgumentError

from .checkpoints import Checkpoints
from .recipe import Recipe, Start
from .recipe_file import read_recipe

RUNS = Path("runs")
"""Where runs lie that are given no folder, each under its recipe's name."""


@dataclass(frozen=True)
class Stage:
    """A recipe whose ``start`` names checkpoints alone, the file that it was read from, and the run's folder."""

    recipe: Recipe
    path: Path
    folder: Path

    @property
    def checkpoints(self) -> Checkpoints:
        """The run's checkpoints: none, before it is begun."""
        return Checkpoints(self.folder, self.recipe.training.keep)

    @property
    def weights(self) -> Path:
        """Where the weights of the last step are, once it is trained."""
        return self.checkpoints.path(self.recipe.training.steps)


def stages(path: Path, folder: Path | None = None, changes: Sequence[str] = ()) -> list[Stage]:
    """Return what must be trained for a recipe, in an order in which it can be, the recipe itself last.

    That one is changed by ``changes``, as :func:`~vs_interp.training.recipe_file.read_recipe` does it.

    Recipes that ``training.start`` names have their runs in ``runs/`` under their names.  Those whose last weights are
    there already are left out, and so is what a run needed to begin that has begun.  Raises :class:`ArgumentError` for
    a recipe that is wrong, needs itself, has the run's folder of another, or may end early, so that it is not known
    which weights are its last.
    """
    found: dict[Path, Stage] = {}
    _gather(path, folder or RUNS / path.stem, (), found, changes)
    return list(found.values())


def _gather(
    path: Path, folder: Path, above: tuple[Path, ...], found: dict[Path, Stage], changes: Sequence[str] = ()
) -> Path:
    """Add a recipe to those that are found, after all that it begins with; return where its last weights are."""
    if path in above:
        circle = " begins with ".join(str(one) for one in (*above[above.index(path) :], path))
        raise ArgumentError(f"{circle}: let one of them begin with a checkpoint, or with nothing")
    recipe = read_recipe(path, changes)
    patience = recipe.validation.patience if recipe.validation else 0
    if above and patience:
        raise ArgumentError(
            f"{above[-1]} begins with {path}, which may end early (validation.patience = {patience}): train it first, "
            "and name its checkpoint instead"
        )

    def checkpoint(start: Path) -> Path:
        return _gather(start, RUNS / start.stem, (*above, path), found) if start.suffix == ".toml" else start

    stage = Stage(recipe, path, folder)
    if above and stage.weights.exists():
        return stage.weights
    if not stage.checkpoints.steps():
        stage = replace(stage, recipe=recipe.beginning_with(_files(recipe.training.start, checkpoint)))
    other = found.setdefault(folder, stage)
    if other.path != path:
        raise ArgumentError(f"{other.path} and {path} would both be run in {folder}: rename one of them")
    return stage.weights


def _files(start: Start, checkpoint: Callable[[Path], Path]) -> Start:
    """Return a recipe's start with every file replaced."""
    if isinstance(start, dict):
        return {part: checkpoint(file) for part, file in start.items()}
    if isinstance(start, tuple):
        return tuple(checkpoint(file) for file in start)
    return None if start is None else checkpoint(start)
