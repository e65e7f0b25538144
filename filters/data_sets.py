"""A sequence of a data set as a clip: to look at it, and at what filters make of it."""

from __future__ import annotations

import numpy as np
import vapoursynth as vs

from vs_interp.arguments import check_whole
from vs_interp.datasets.readers import open_footage

from .models import speaking_as

core = vs.core


def sequence(address: str, number: int = 0, *, split: str = "test") -> vs.VideoNode:
    """Return a sequence of the data set at an address as a clip of RGB24, 24 frames a second.

    ``address`` is as for ``vs-interp train``: ``scenes:240x160``, ``moving-digits:FOLDER``, ``davis:FOLDER``, …
    """
    with speaking_as("sequence"):
        footage = open_footage(str(address), split)
        check_whole("number", number, least=0, most=len(footage.lengths) - 1)
        size = footage.frame_size(number)
    length = footage.lengths[number]
    blank = core.std.BlankClip(
        format=vs.RGB24, width=size.width, height=size.height, length=length, fpsnum=24, fpsden=1, keep=True
    )

    def read(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame, picture = f.copy(), footage.frames(number, [n])[0]
        for plane in range(3):
            np.copyto(np.asarray(frame[plane]), picture[..., plane])
        return frame

    return core.std.ModifyFrame(blank, blank, read)
