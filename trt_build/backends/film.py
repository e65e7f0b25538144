"""Real frames to test networks on, from the clip that comes with vs-interp."""

from __future__ import annotations

from importlib.resources import as_file, files
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vs_interp.size import Size

Pixels = NDArray[np.float32]
"""Float32 values, channels × height × width, in [0, 1]."""


def film_frames(count: int) -> list[Pixels]:
    """Return the clip's first ``count`` frames, in RGB (3×360×640)."""
    import av

    with as_file(files("vs_interp") / "clips" / "bbb_360p24.mp4") as path, av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), count)]
    return [np.moveaxis(frame, 2, 0).astype(np.float32) / np.float32(255) for frame in frames]


def fitted(picture: Pixels, size: Size) -> Pixels:
    """Return the picture cropped to its centre, or mirrored beyond its right and lower edge, to have the given size."""
    for axis, wanted in ((1, size.height), (2, size.width)):
        have = picture.shape[axis]
        if have > wanted:
            picture = np.take(picture, range((have - wanted) // 2, (have - wanted) // 2 + wanted), axis)
        else:
            pads = [(0, 0)] * 3
            pads[axis] = (0, wanted - have)
            picture = np.pad(picture, pads, "symmetric")
    return picture
