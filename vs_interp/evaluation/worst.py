"""The pictures on which a model is worst, in the versions of all methods, for the sheet and the page."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vs_interp.datasets.runs import frame_name
from vs_interp.size import Size

from .compare import Row, Shown
from .material import resized
from .tasks import BETWEEN, FLOW, SCORES, Made, Picture

SHARE = 8
"""Of so many consecutive frames, at most one is kept, since neighbours are alike."""


@dataclass(frozen=True)
class Case:
    """A picture in several versions.

    versions
        Name → RGB picture as lossless WebP: the inputs first, then each method, then the truth.
    scores
        Method → its scores as text.
    amplified
        The factor by which errors should be amplified.
    """

    title: str
    versions: Mapping[str, bytes]
    scores: Mapping[str, str]
    amplified: int

    def picture(self, version: str) -> Image.Image:
        """Decode a version."""
        return Image.open(io.BytesIO(self.versions[version])).convert("RGB")


class Worst:
    """Collects the cases on which the first method is worst, at most one of :data:`SHARE` consecutive frames."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._kept: dict[tuple[str, str, int], tuple[float, Case]] = {}

    def see(self, shown: Shown) -> None:
        """Keep a picture if it is among the worst."""
        row = shown.rows[0]
        name = next(iter(row.judged.scores))
        badness = row.judged.scores[name] * (-1 if SCORES[name].higher else 1)
        place = row.dataset, row.sequence, row.frame // SHARE
        rival = place if place in self._kept else min(self._kept, key=lambda key: self._kept[key][0], default=None)
        if rival is not None and (rival == place or len(self._kept) == self._most):
            if self._kept[rival][0] >= badness:
                return
            del self._kept[rival]
        self._kept[place] = badness, _case(shown)

    @property
    def cases(self) -> list[Case]:
        """The cases, the worst first."""
        return [case for _, case in sorted(self._kept.values(), key=lambda kept: -kept[0])]


def _case(shown: Shown) -> Case:
    stretch, row, task = shown.stretch, shown.rows[0], shown.stretch.material.task
    zero = stretch.frames[stretch.places[shown.index]]
    named = {"before": zero, "after": zero + stretch.gap} if task in (BETWEEN, FLOW) else {"input": zero}
    versions = {
        name: _rgb(stretch.material.input(stretch.sequence, number), shown.truth) for name, number in named.items()
    }
    for each, made in zip(shown.rows, shown.pictures, strict=True):
        versions[each.method] = task.shown(made, shown.truth)
    versions["truth"] = task.shown(shown.truth, shown.truth)
    lead = f", +{row.lead}" if len(stretch.windows[shown.index].truths) > 1 else ""
    title = f"{frame_name(row.sequence, row.frame)}{lead}"
    scores = {each.method: _words(each) for each in shown.rows}
    return Case(title, {name: _encoded(picture) for name, picture in versions.items()}, scores, task.amplified)


def _words(row: Row) -> str:
    """Return the first two scores of a picture as text."""
    return " · ".join(SCORES[name].text(value) for name, value in list(row.judged.scores.items())[:2])


def _rgb(picture: Picture, truth: Made) -> Picture:
    """Return an input as RGB; a small one is enlarged to the size of the output by repeating pixels."""
    size = Size.of(truth.shape)
    if picture.shape[:2] != truth.shape[:2] and size.width >= picture.shape[1]:
        picture = resized(picture, size, "NEAREST")
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)


def _encoded(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, quality=20, method=1)
    return file.getvalue()
