"""What networks are measured against without one: the trivial answer to each task, and classical methods."""

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
    """A method, and what it lacks here: ``missing()`` says what and how to get it, or ``None``."""

    method: Method
    missing: Callable[[], str | None] = lambda: None


def blend(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Mix both frames, each the more the nearer it is."""
    for place, times in zip(stretch.places, stretch.times, strict=True):
        first, second = (stretch.picture(place + step).astype(np.float64) for step in (0, 1))
        yield [np.round(first + float(time) * (second - first)).astype(np.uint8) for time in times]


def repeat(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Give the newest frame that was seen again, as often as pictures are asked for."""
    for place, times in zip(stretch.places, stretch.times, strict=True):
        yield [stretch.material.seen(stretch.picture(place))] * len(times)


def blurred(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Give the newest frame again, under a Gaussian of 3 pixels, which scores of uncertain pictures rise with."""
    from PIL import Image, ImageFilter

    for place, times in zip(stretch.places, stretch.times, strict=True):
        soft = Image.fromarray(stretch.picture(place)).filter(ImageFilter.GaussianBlur(3))
        yield [stretch.material.seen(np.asarray(soft))] * len(times)


def still(stretch: Stretch) -> Generator[list[Made], None, None]:
    """See no motion."""
    for place in stretch.places:
        yield [np.zeros((*stretch.picture(place).shape[:2], 2), np.float32)]


def background(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Call everything class 0."""
    for place in stretch.places:
        yield [np.zeros(stretch.picture(place).shape[:2], np.uint8)]


def grid(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Number six fields of the picture, whatever is in them: what ARI owes to where objects are, and not to sight."""
    for place in stretch.places:
        height, width = stretch.picture(place).shape[:2]
        rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
        yield [(3 * rows[:, None] + columns).astype(np.uint8)]


def again(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Give the true labels of the frame before."""
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
"""By task; the first of each is what a model stands beside when nothing else is named."""
