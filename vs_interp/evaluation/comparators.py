"""Methods without a network to compare with: a trivial one for each task, and classical ones."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np

from vs_interp.size import Size

from . import motion
from .compare import Method, Stretch
from .material import resized
from .tasks import BETWEEN, ENLARGED, FLOW, LABELS, LABELS_TO_COME, TO_COME, Made


@dataclass(frozen=True)
class Comparator:
    """A method; ``missing()`` tells what has to be installed for it, or ``None``."""

    method: Method
    missing: Callable[[], str | None] = lambda: None


def blend(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Blend the two frames, each weighted by how near it is in time."""
    for place, times in zip(stretch.places, stretch.times, strict=True):
        first, second = (stretch.picture(place + step).astype(np.float64) for step in (0, 1))
        yield [np.round(first + float(time) * (second - first)).astype(np.uint8) for time in times]


def repeat(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Predict the newest frame again, for every picture."""
    for place, times in zip(stretch.places, stretch.times, strict=True):
        yield [stretch.material.seen(stretch.picture(place))] * len(times)


def blurred(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Predict the newest frame, blurred by a Gaussian of σ 3 pixels: blur raises the scores of uncertain pictures."""
    from PIL import Image, ImageFilter

    for place, times in zip(stretch.places, stretch.times, strict=True):
        soft = Image.fromarray(stretch.picture(place)).filter(ImageFilter.GaussianBlur(3))
        yield [stretch.material.seen(np.asarray(soft))] * len(times)


def still(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Predict no motion."""
    for place in stretch.places:
        yield [np.zeros((*stretch.picture(place).shape[:2], 2), np.float32)]


def background(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Label every pixel as background, class 0."""
    for place in stretch.places:
        yield [np.zeros(stretch.picture(place).shape[:2], np.uint8)]


def grid(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Number six fields of the picture, whatever is in them: what ARI owes to where objects are, and not to sight."""
    for place in stretch.places:
        height, width = stretch.picture(place).shape[:2]
        rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
        yield [(3 * rows[:, None] + columns).astype(np.uint8)]


def again(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Return the true labels of the frame before."""
    for place in stretch.places:
        yield [stretch.material.truth(stretch.sequence, max(stretch.frames[place] - 1, 0))]


def _enlarged(kernel: str) -> Method:
    def enlarge(stretch: Stretch) -> Generator[list[Made], None, None]:
        for place, window in zip(stretch.places, stretch.windows, strict=True):
            truth = stretch.material.truth(stretch.sequence, window.truths[0])
            yield [resized(stretch.picture(place), Size.of(truth.shape), kernel)]

    return enlarge


COMPARATORS: Mapping[str, Mapping[str, Comparator]] = {
    BETWEEN.name: {
        "blend": Comparator(blend),
        "mvtools": Comparator(motion.mvtools, motion.missing_mvtools),
        "minterpolate": Comparator(motion.minterpolate, motion.missing_minterpolate),
    },
    ENLARGED.name: {"bicubic": Comparator(_enlarged("BICUBIC")), "lanczos": Comparator(_enlarged("LANCZOS"))},
    TO_COME.name: {"repeat": Comparator(repeat), "blurred": Comparator(blurred)},
    FLOW.name: {"still": Comparator(still), "dis": Comparator(motion.dis, motion.missing_dis)},
    LABELS.name: {"background": Comparator(background), "again": Comparator(again), "grid": Comparator(grid)},
    LABELS_TO_COME.name: {"repeat": Comparator(repeat)},
}
"""Task → name → method; a model is compared with the first one unless others are named."""
