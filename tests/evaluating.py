"""Evaluations as tests ask for them: one thread, no progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trt_build.backends import OpenVINO
from vs_interp.cli.evaluate import extrapolation
from vs_interp.evaluation.compare import Shown
from vs_interp.evaluation.run import Evaluation, Selection
from vs_interp.evaluation.run import evaluate as whole


@contextlib.contextmanager
def silent(total: int) -> Iterator[Callable[[], None]]:
    """Show nothing of how far it is."""
    yield lambda: None


def evaluate(
    model: str | Path,
    *films: str | Path,
    against: Sequence[str] | None = None,
    watch: Callable[[Shown], None] = lambda shown: None,
    **selection: Any,
) -> Evaluation:
    """Score a model on films, on one thread."""
    return whole(
        str(model), [str(film) for film in films], Selection(**selection), against=against, progress=silent,
        backend=OpenVINO(threads=1, streams=1), watch=watch, extrapolation=extrapolation,
    )  # fmt: skip
