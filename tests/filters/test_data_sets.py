"""A data set's sequence as a clip: its own pictures, at a rate, and what is no data set is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters import sequence

from vs_interp.datasets.readers import open_footage


def test_the_clip_shows_the_sequence() -> None:
    footage = open_footage("scenes:48x32", "test")
    clip = sequence("scenes:48x32", 3)
    assert (clip.width, clip.height, clip.fps, len(clip)) == (48, 32, 24, footage.lengths[3])
    with clip.get_frame(5) as frame:
        shown = np.stack([np.asarray(frame[plane]) for plane in range(3)], 2)
    assert np.array_equal(shown, footage.frames(3, [5])[0])


@pytest.mark.parametrize(
    ("address", "arguments", "message"),
    [
        (5, {}, "sequence: '5' is not a data set: give LAYOUT:PATH"),
        ("scenes:48x32", {"split": "rest"}, "sequence: no data set has the split 'rest'"),
        ("scenes:48x32", {"number": -1}, "sequence: number is -1: it must be a whole number from 0"),
    ],
)
def test_what_is_no_sequence_is_refused(address: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(vs.Error, match=message):
        sequence(address, **arguments)
