"""Evaluate a model and other methods on data sets, given by name."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trt_build.backends import Backend, choose
from trt_build.backends.work import work_per_pixel
from trt_build.graphs.flow import flow_alone
from trt_build.model_file import ModelFile
from vs_interp.datasets.plain import open_material
from vs_interp.datasets.windows import cut_windows, own_gap
from vs_interp.errors import ArgumentError
from vs_interp.log import logger
from vs_interp.spec import NetworkSpec
from vs_interp.weights.catalogue import catalogue
from vs_interp.weights.obtain import load

from .comparators import COMPARATORS
from .compare import Method, Row, Shown, Stretch, chosen, compare, stretches
from .material import Material
from .results import circumstances, summary
from .served import Served
from .tasks import FLOW, TO_COME, task_of

SEEN = 12
"""Number of frames whose motion is extrapolated."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is measured of each data set: the options of ``vs-interp evaluate``.

    gap
        The distance in frames between the inputs of a network that takes a time; 2 by default.
    ahead
        How many predicted pictures are measured; ``None`` for as many as the model makes.
    """

    split: str = "test"
    limit: int | None = None
    height: int | None = None
    gap: int | None = None
    ahead: int | None = None


@dataclass(frozen=True)
class Competitor:
    """A method, and its model if it has one."""

    method: Method
    model: ModelFile | None = None


@dataclass(frozen=True)
class Evaluation:
    """The figures, as JSON values, and the scores of every picture."""

    figures: dict[str, Any]
    rows: list[Row]


Progress = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Shows how many of the given number of pictures are done; yields a function to call after each."""

Extrapolation = Callable[[str, Backend], Method]
"""Returns the method that extrapolates the motion found by the flow model of that name."""


def evaluate(
    model: str, addresses: Sequence[str], selection: Selection, *, against: Sequence[str] | None,
    backend: Backend | None, progress: Progress, watch: Callable[[Shown], None], extrapolation: Extrapolation,
) -> Evaluation:  # fmt: skip
    """Score a model and other methods.

    Raises :class:`ArgumentError` if model, data sets and methods do not go together,
    :class:`~vs_interp.errors.DatasetError` if a data set is missing or one of its frames is broken.
    """
    began, runtime = time.monotonic(), choose(backend)
    file = load(model)
    spec = _asked(file.spec, selection.ahead)
    gap = _gap(spec, selection.gap)
    task = task_of(spec)
    extrapolates = extrapolation if task is TO_COME else None
    names = list(dict.fromkeys([*against] if against is not None else [next(iter(COMPARATORS[task.name]))]))
    left_out = _missing(spec, names)
    kept = [name for name in names if name not in left_out]
    short = _short_names([model, *kept])
    competitors = {short[model]: _of_model(model, file, spec, runtime, extrapolates)}
    competitors |= {short[name]: _competitor(name, spec, runtime, extrapolates) for name in kept if name != model}
    models = [each.model for each in competitors.values() if each.model is not None]
    grey = all(each.spec.window.channels == 1 for each in models)
    film = [
        stretch
        for address in dict.fromkeys(addresses)
        for stretch in _film(address, spec, selection, gap, grey=grey)
    ]  # fmt: skip
    methods = {name: each.method for name, each in competitors.items()}
    border = spec.output.scale if spec.output.scale > 1 else 0
    total = sum(len(window.truths) for stretch in film for window in stretch.windows)
    with progress(total * len(methods)) as done:

        def see(shown: Shown) -> None:
            for _ in shown.rows:
                done()
            watch(shown)

        rows = compare(film, methods, border, see)
    found = summary(rows)
    for name, each in competitors.items():
        found[name]["kmac"] = None if each.model is None else round(work_per_pixel(each.model, gap - 1), 1)
    figures = {
        "model": short[model],
        "network": file.spec.name,
        "sha256": file.digest,
        "task": task.name,
        "datasets": list(dict.fromkeys(addresses)),
        **asdict(selection),
        "gap": gap if spec.takes_time else None,
        "methods": found,
        "left_out": left_out,
        "seconds": round(time.monotonic() - began, 1),
        **circumstances(runtime),
    }
    return Evaluation(figures, rows)


def _asked(spec: NetworkSpec, ahead: int | None) -> NetworkSpec:
    """Return the spec for ``--ahead``: fewer predicted pictures, or for a flow network, extrapolated pictures."""
    if ahead is None:
        return spec
    times = tuple(float(lead) for lead in range(1, ahead + 1))
    if spec.output.kind == "flow":
        window = replace(spec.window, offsets=tuple(range(1 - SEEN, 1)))
        return replace(
            spec, window=window, output=replace(spec.output, kind="frame", channels=spec.window.channels, times=times)
        )
    if not spec.foresees:
        raise ArgumentError(f"--ahead is {ahead}, but {spec.name} does not predict frames: leave it out")
    if not set(times) <= set(spec.output.times or ()):
        raise ArgumentError(f"--ahead is {ahead}, but {spec.name} predicts {spec.pictures} frames: ask for fewer")
    return replace(spec, output=replace(spec.output, times=times))


def _gap(spec: NetworkSpec, gap: int | None) -> int:
    """Return the distance between the inputs.  Raises :class:`ArgumentError` for a network that has another."""
    if spec.takes_time:
        return 2 if gap is None else gap
    own = own_gap(spec)
    if gap is not None and not spec.between:
        raise ArgumentError(f"--gap is {gap}, but {spec.name} makes no frames between frames: leave it out")
    if gap not in (None, own):
        raise ArgumentError(f"--gap is {gap}, but {spec.name} makes frames at fixed times: leave it out, or give {own}")
    return own


def _short_names(given: Sequence[str]) -> dict[str, str]:
    """Return a name for each method: of a model file its stem, or its whole path where another has the same name."""
    short = {each: each if not Path(each).suffix or each in catalogue() else Path(each).stem for each in given}
    count = Counter(short.values())
    return {each: each if count[name] > 1 else name for each, name in short.items()}


def _missing(spec: NetworkSpec, names: Sequence[str]) -> dict[str, str]:
    """Return the methods that cannot run here, with the reason; each is also logged as a warning."""
    known = COMPARATORS[task_of(spec).name]
    found = {name: why for name in names if name in known and (why := known[name].missing()) is not None}
    for name, why in found.items():
        logger.warning("%s is left out: %s", name, why)
    return found


def _competitor(name: str, spec: NetworkSpec, runtime: Backend, extrapolation: Extrapolation | None) -> Competitor:
    """Return a method by its name.  Raises :class:`ArgumentError` if it is for another task than the model's."""
    task = task_of(spec)
    known = COMPARATORS[task.name]
    if name in known:
        return Competitor(known[name].method)
    others = {other for methods in COMPARATORS.values() for other in methods}
    if name in others or not (name in catalogue() or Path(name).suffix):
        raise ArgumentError(
            f"{task.name} cannot be compared with {name}: use {', '.join(known)}, a model file or a name from "
            "`vs-interp weights list`"
        )
    return _of_model(name, load(name), spec, runtime, extrapolation)


def _of_model(
    name: str, file: ModelFile, wanted: NetworkSpec, runtime: Backend, extrapolation: Extrapolation | None
) -> Competitor:
    """Return the method that runs a model.  Raises :class:`ArgumentError` if it is for another task than ``wanted``."""
    task = task_of(wanted)
    if extrapolation is not None and file.spec.output.kind == "flow":
        return Competitor(extrapolation(name, runtime))
    if task is FLOW:
        file = _cut(file)
    spec = file.spec
    if task_of(spec) is not task:
        raise ArgumentError(f"{name} makes {task_of(spec).name}, but {wanted.name} makes {task.name}: leave it out")
    if spec.output.scale != wanted.output.scale:
        raise ArgumentError(
            f"{name} upscales {spec.output.scale} times, but {wanted.name} {wanted.output.scale} times: leave it out"
        )
    if spec.foresees and spec.window.offsets[0] < wanted.window.offsets[0]:
        raise ArgumentError(
            f"{name} takes {len(spec.window.offsets)} frames, more than {wanted.name}: evaluate it as the model instead"
        )
    if (spec.window.labels, spec.output.crop) != (wanted.window.labels, wanted.output.crop):
        raise ArgumentError(f"{name} takes other inputs or makes another part than {wanted.name}: leave it out")
    return Competitor(Served(file, runtime), file)


def _cut(file: ModelFile) -> ModelFile:
    """Return a flow model as the filters run it: RAFT with 12 updates, only the flow of RIFE and Super-SloMo."""
    file = flow_alone(file) if file.spec.between else file
    return file.with_updates(min(12, file.spec.updates)) if file.spec.updates else file


def _film(address: str, spec: NetworkSpec, selection: Selection, gap: int, *, grey: bool) -> Iterator[Stretch]:
    """Open a data set and cut it into stretches for a network."""
    footage = open_material(address, selection.split, stills=spec.window.offsets == (0,))
    windows = chosen(cut_windows(footage, spec, (gap,)), spec, selection.limit)
    return stretches(Material(address, footage, spec, selection.height, grey=grey), spec, windows)
