"""Where a cut is: the detector looks at few samples, and must decide as if it looked at all."""

from __future__ import annotations

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters.scenes import is_cut, is_repeat

core = vs.core
SIZE = 640, 360


def frame(form: int, values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> vs.VideoFrame:
    """Return a frame with values in [0, 1] as its luma, or as its green."""
    made = core.create_video_frame(core.get_video_format(form), values.shape[1], values.shape[0])
    top = 1 if made.format.sample_type == vs.FLOAT else 2**made.format.bits_per_sample - 1
    for plane in range(made.format.num_planes):
        np.asarray(made[plane])[...] = 0
    plane = np.asarray(made[1 if made.format.color_family == vs.RGB else 0])
    plane[...] = (values * top).round() if top > 1 else values
    return made


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV420P10, vs.RGB24, vs.RGBS, vs.GRAY16])
@pytest.mark.parametrize("share", [0.15, 0.5, 1.0])
@pytest.mark.parametrize("threshold", [0.04, 0.1])
def test_the_mean_of_all_samples_decides(form: int, share: float, threshold: float) -> None:
    """Pictures of noise, of which a disc, a half or all becomes another, from a tenth to five times the threshold."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    changed = np.hypot(x - 300, y - 170) < np.sqrt(share * SIZE[0] * SIZE[1] / np.pi)
    changed |= share == 1
    first = 0.5 + 0.1 * random.standard_normal((SIZE[1], SIZE[0])).clip(-2, 2)
    pattern = random.random(first.shape)
    for part in (0.1, 0.4, 0.6, 0.85, 1.15, 1.6, 2.5, 5):
        change = part * threshold / (pattern * changed).mean() * pattern * changed
        second = np.where(first > 0.5, first - change, first + change).clip(0, 1)
        wanted = abs(second - first).mean() >= threshold
        assert is_cut(frame(form, first), frame(form, second), threshold) == wanted, part


@pytest.mark.parametrize("height", [480, 1080])
@pytest.mark.parametrize("period", [2, 3, 12, 54])
def test_thin_patterns_that_flash_are_seen_as_they_are(period: int, height: int) -> None:
    """An interlaced flash, and other changes of one line or column in ``period``, or of all but one."""
    shape = height, 16 * height // 9
    black = frame(vs.GRAY8, np.zeros(shape))
    for places in np.mgrid[: shape[0], : shape[1]]:
        for phase in {0, 1, period - 1}:
            line = places % period == phase
            for changed, value in ((~line, 0.15), (line, 0.9)):
                share = value * changed.mean()
                if not 0.085 < share < 0.115:
                    found = is_cut(black, frame(vs.GRAY8, value * changed), 0.1)
                    assert found == (share >= 0.1), (phase, share)


def test_subtitles_that_appear_are_no_cut() -> None:
    """Three lines of large white text over a dark picture: they change a tenth of the picture, half of it inked."""
    random, first = np.random.default_rng(7), np.full((1080, 1920), 0.1)
    for top in (800, 803, 811, 829):
        second = first.copy()
        for line in range(3):
            text = second[top + 90 * line : top + 90 * line + 64, 300:1620]
            text[random.random(text.shape) < 0.5] = 0.95
        assert abs(second - first).mean() < 0.06
        assert not is_cut(frame(vs.GRAY8, first), frame(vs.GRAY8, second), 0.1)


@pytest.mark.parametrize("place", [None, (0, 0), (128, 160), (128, 161), (129, 160), (359, 639)])
def test_a_single_sample_is_no_repeat(place: tuple[int, int] | None) -> None:
    """Wherever it lies: on the few samples that are compared first, on the lines that are next, or anywhere."""
    values = np.random.default_rng(6).random((SIZE[1], SIZE[0]))
    other = values.copy()
    if place is not None:
        other[place] = 1 - values[place].round()
    assert is_repeat(frame(vs.YUV420P8, values), frame(vs.YUV420P8, other)) == (place is None)
