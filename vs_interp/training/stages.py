"""Stages: a recipe may start from the weights of other recipes, which are then trained before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vs_interp.errors import ArgumentError

from .checkpoints import Checkpoints
from .recipe import Recipe, Start
from .recipe_file import read_recipe

RUNS = Path("runs")
"""The folder of runs for which no folder is given, each in a subfolder with its recipe's name."""


@dataclass(frozen=True)
class Stage:
    """A recipe whose ``start`` names only checkpoints, the file it was read from, and the run's folder."""

    recipe: Recipe
    path: Path
    folder: Path

    @property
    def checkpoints(self) -> Checkpoints:
        """The run's checkpoints; none before it has started."""
        return Checkpoints(self.folder, self.recipe.training.keep)

    @property
    def weights(self) -> Path:
        """The path of the last step's weights, which exist once it is trained."""
        return self.checkpoints.path(self.recipe.training.steps)


def stages(path: Path, folder: Path | None = None, changes: Sequence[str] = ()) -> list[Stage]:
    """Return what must be trained for a recipe, in order, with the recipe itself last.

    ``changes`` apply to that one, see :func:`~vs_interp.training.recipe_file.read_recipe`.  Recipes named by
    ``training.start`` have their runs in subfolders of :data:`RUNS`.  Those whose last weights exist are left out, and
    so are those that only a run that has already started needs.

    Raises :class:`ArgumentError` for a recipe that is invalid, that depends on itself, that has the same folder as
    another, or that another starts from although it may end early, so that its last weights are not known beforehand.
    """
    found: dict[Path, Stage] = {}
    _gather(path, folder or RUNS / path.stem, (), found, changes)
    return list(found.values())


def _gather(
    path: Path, folder: Path, above: tuple[Path, ...], found: dict[Path, Stage], changes: Sequence[str] = ()
) -> Path:
    """Add a recipe to ``found``, after those it starts from, and return the path of its last weights."""
    if path in above:
        circle = " starts from ".join(str(one) for one in (*above[above.index(path) :], path))
        raise ArgumentError(f"{circle}: make one of them start from a checkpoint, or from nothing")
    recipe = read_recipe(path, changes)
    patience = recipe.validation.patience if recipe.validation else 0
    if above and patience:
        raise ArgumentError(
            f"{above[-1]} starts from {path}, which may end early (validation.patience = {patience}): train that first "
            "and name its checkpoint instead"
        )

    def checkpoint(start: Path) -> Path:
        return _gather(start, RUNS / start.stem, (*above, path), found) if start.suffix == ".toml" else start

    stage = Stage(recipe, path, folder)
    if above and stage.weights.exists():
        return stage.weights
    if not stage.checkpoints.steps():
        stage = replace(stage, recipe=recipe.with_start(_files(recipe.training.start, checkpoint)))
    other = found.setdefault(folder, stage)
    if other.path != path:
        raise ArgumentError(f"{other.path} and {path} would both be run in {folder}: rename one of them")
    return stage.weights


def _files(start: Start, checkpoint: Callable[[Path], Path]) -> Start:
    """Return a recipe's start with ``checkpoint`` applied to every file."""
    if isinstance(start, dict):
        return {part: checkpoint(file) for part, file in start.items()}
    if isinstance(start, tuple):
        return tuple(checkpoint(file) for file in start)
    return None if start is None else checkpoint(start)
