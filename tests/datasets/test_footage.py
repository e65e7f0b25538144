"""Training windows against lists made by hand, and what footage refuses."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.test_imports import loaded
from vs_interp.datasets.footage import Box, Footage, Frames
from vs_interp.datasets.windows import CUT, STILL, cut_windows
from vs_interp.errors import DatasetError
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec, Output, Window

SLOMO = NetworkSpec(name="super-slomo")
FLAVR = {
    factor: NetworkSpec(
        name="flavr",
        window=Window(offsets=(-1, 0, 1, 2)),
        output=Output(times=tuple(number / factor for number in range(1, factor))),
    )
    for factor in (2, 4, 8)
}
ENLARGE = NetworkSpec(name="fsrcnn", window=Window(offsets=(0,)), output=Output(times=(0.0,), scale=2))
REFINE = NetworkSpec(name="delta", window=Window(offsets=(-1, 0, 1)), output=Output(times=(0.0,)))


class Numbered(Footage):
    """Frames of 4×6 whose values are their numbers."""

    def __init__(self, *lengths: int, differences: Sequence[Sequence[float]] | None = None) -> None:
        self.lengths, self.known = lengths, differences

    def name(self, sequence: int) -> str:
        return f"sequence {sequence}"

    def frame_size(self, sequence: int) -> Size:
        return Size(6, 4)

    def differences(self, sequence: int) -> NDArray[np.float64] | None:
        return None if self.known is None else np.array(self.known[sequence])

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        if 3 in numbers:
            raise DatasetError("frame 3 is broken")
        return np.stack([np.full((*box[2:], 3), number, np.uint8) for number in numbers])


def listed(footage: Footage, spec: NetworkSpec, **choices: object) -> list[tuple[object, ...]]:
    return [tuple(window) for window in cut_windows(footage, spec, **choices)]  # type: ignore[arg-type]


HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def test_a_network_that_takes_a_time_gets_every_frame_between_two() -> None:
    assert listed(Numbered(4, 1, 3), SLOMO, gaps=(2, 3)) == [
        (0, (0, 2), (1,), HALF), (0, (1, 3), (2,), HALF), (2, (0, 2), (1,), HALF),
        (0, (0, 3), (1,), THIRD), (0, (0, 3), (2,), 2 * THIRD),
    ]  # fmt: skip
    assert listed(Numbered(5), SLOMO, gaps=(3, 4), times=(HALF,)) == [(0, (0, 4), (2,), HALF)]


def test_a_vimeo_septuplet_is_one_window_of_flavr() -> None:
    """Kalluri et al. train on the frames 1, 3, 5 and 7 of seven, and the fourth is the truth."""
    assert listed(Numbered(7), FLAVR[2]) == [(0, (0, 2, 4, 6), (3,), None)]


def test_windows_of_fixed_times_lie_a_frame_a_time_apart() -> None:
    assert listed(Numbered(14), FLAVR[4]) == [
        (0, (0, 4, 8, 12), (5, 6, 7), None), (0, (1, 5, 9, 13), (6, 7, 8), None)
    ]  # fmt: skip
    assert listed(Numbered(25), FLAVR[8]) == [(0, (0, 8, 16, 24), (9, 10, 11, 12, 13, 14, 15), None)]


def test_networks_that_refine_a_frame_see_its_neighbours() -> None:
    assert listed(Numbered(2, 1), ENLARGE) == [(0, (0,), (0,), None), (0, (1,), (1,), None), (1, (0,), (0,), None)]
    assert listed(Numbered(4), REFINE) == [(0, (0, 1, 2), (1,), None), (0, (1, 2, 3), (2,), None)]


def test_no_window_holds_a_cut_and_none_that_interpolates_a_still_pair() -> None:
    #        0  1  2     3     4  5  6            7  8
    moves = [5, 5, CUT + 1, 5, 5, 5, STILL / 2, 5]
    footage = Numbered(3, 9, differences=[[5, 5], moves])
    assert [(window.sequence, window.inputs) for window in cut_windows(footage, SLOMO)] == [
        (0, (0, 2)), (1, (0, 2)), (1, (3, 5)), (1, (4, 6))
    ]  # fmt: skip
    assert [window.truths[0] for window in cut_windows(footage, REFINE) if window.sequence] == [1, 4, 5, 6, 7]


def test_ten_thousand_short_sequences_and_one_long_give_all_their_windows() -> None:
    windows = cut_windows(Numbered(*[3] * 10_000, 1_000_000), SLOMO, gaps=(2, 4))
    assert len(windows) == 10_000 + 999_998 + 3 * 999_996
    assert windows[len(windows) - 1] == (10_000, (999_995, 999_999), (999_998,), Fraction(3, 4))


@pytest.mark.parametrize(
    ("footage", "choices", "told"),
    [
        (Numbered(2, 2), {}, "needs 3 consecutive frames"),
        (Numbered(3, differences=[[5, 30]]), {}, "without cuts"),
        (Numbered(), {}, "the longest sequence has 0"),
        (Numbered(9), {"gaps": (1,)}, "give a gap of 2 or more"),
        (Numbered(9), {"gaps": (3,), "times": (HALF,)}, "the times 1/2 leave no frame"),
    ],
)
def test_footage_without_windows_is_refused(footage: Footage, choices: dict[str, object], told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        cut_windows(footage, SLOMO, **choices)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "box", "told"),
    [
        ([5], None, "has the frames 0 to 4"),
        ([-1], None, "has the frames 0 to 4"),
        ([0], (0, 0, 5, 6), "6x5 at 0, 0 lies outside"),
        ([0], (1, 0, 4, 6), "frames of 6x4"),
        ([0], (0, -1, 4, 4), "lies outside"),
        ([0], (0, 0, 0, 4), "lies outside"),
    ],
)
def test_frames_and_boxes_outside_a_sequence_are_refused(numbers: list[int], box: Box | None, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        Numbered(5).frames(0, numbers, box)


def test_checking_reads_every_frame_and_says_which_is_broken() -> None:
    assert list(Numbered(2, 5).check()) == [None, None, None, None, None, "frame 3 is broken", None]


def test_workers_that_read_frames_need_no_torch() -> None:
    modules = loaded("import vs_interp.datasets.windows, vs_interp.datasets.readers, vs_interp.datasets.shards")
    assert not modules & {"torch", "vapoursynth", "onnx"}
