"""What the filters are tried with on a GPU: footage, the calls, and the pictures that the CPU path makes of it.

``python -m tests.gpu.cases`` writes them anew, with OpenVINO: to be done where a filter or weights change on purpose.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from tests.support import ROOT
from trt_build.backends import Backend, OpenVINO
from vs_interp import flavr, rife, super_slomo, upscale
from vs_interp.files import write_whole
from vs_interp.folders import cache_folder

core = vs.core

STORED = Path(__file__).with_name("pictures.npz")
WIDTH, HEIGHT = 160, 96  # no multiple of what the networks need: frames are padded, too
FIRST, FRAMES = 30, 5
"""Where the footage begins in the bundled clip, at a corner that moves."""

Planes = list[NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A filter on a clip, and the numbers of the frames in which it makes something.

    weights
        A name of the catalogue that need not be here.
    filters
        How many of them follow each other: each rounds to whole codes.
    """

    make: Callable[[vs.VideoNode, Backend], vs.VideoNode]
    made: tuple[int, ...]
    form: str = "YUV420P8"
    weights: str = ""
    filters: int = 1

    @property
    def lacks(self) -> str:
        """What is missing to run it; nothing where all is here."""
        if not self.weights or (cache_folder("weights") / f"{self.weights}.onnx").is_file():
            return ""
        return f"the weights {self.weights} are not here: vs-interp weights get {self.weights}"


def _twice(clip: vs.VideoNode, backend: Backend) -> vs.VideoNode:
    return super_slomo(clip[:3], factor=2, backend=backend)


def _rife(model: str) -> Callable[[vs.VideoNode, Backend], vs.VideoNode]:
    return lambda clip, backend: rife(clip[:3], factor=2, model=model, backend=backend)


CASES = {
    "super-slomo, factor 2": Case(_twice, (1, 3)),
    "super-slomo, factor 5/2": Case(lambda clip, backend: super_slomo(clip[:2], factor=2.5, backend=backend), (1, 2)),
    "super-slomo, factor 8": Case(lambda clip, backend: super_slomo(clip[:2], factor=8, backend=backend), (1, 4, 7)),
    "super-slomo, 10 bits": Case(_twice, (1, 3), form="YUV420P10"),
    "super-slomo, RGB": Case(_twice, (1,), form="RGB24"),
    "rife 4.25": Case(_rife("rife-4.25"), (1, 3), weights="rife-4.25"),
    "rife 4.0": Case(_rife("rife-4.0"), (1,), weights="rife-4.0"),
    "flavr, factor 2": Case(lambda clip, backend: flavr(clip[:4], factor=2, backend=backend), (1, 3, 5)),
    "flavr, factor 4": Case(lambda clip, backend: flavr(clip[:4], factor=4, backend=backend), (5, 6, 7)),
    "fsrcnn": Case(lambda clip, backend: upscale(clip[:2], scale=2, backend=backend), (0, 1)),
    "fsrcnn, in tiles": Case(lambda clip, backend: upscale(clip[:1], scale=2, tile=80, backend=backend), (0,)),
    "span": Case(
        lambda clip, backend: upscale(clip[:1], scale=2, model="span-x2", backend=backend), (0,), weights="span-x2"
    ),
    "five-parallel": Case(
        lambda clip, backend: upscale(
            clip.std.Crop(right=128, bottom=72), scale=4, model="five-parallel-x4", backend=backend
        ),
        (1, 2),
    ),
    "two filters": Case(
        lambda clip, backend: upscale(_twice(clip[:2], backend), scale=2, backend=backend), (0, 1), filters=2
    ),
}


def source(form: str) -> vs.VideoNode:
    """Return the footage as a clip, in one of the formats of the cases."""
    return as_clip([converted(planes, form) for planes in footage()], form)


def as_clip(frames: list[Planes], form: str) -> vs.VideoNode:
    """Return planes as a clip with the properties of BT.709."""
    height, width = frames[0][0].shape
    blank = core.std.BlankClip(
        width=width, height=height, format=getattr(vs, form), length=len(frames), fpsnum=24, fpsden=1, keep=True
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        filled = f.copy()
        for plane, values in enumerate(frames[n]):
            np.asarray(filled[plane])[...] = values
        return filled

    clip = core.std.ModifyFrame(blank, blank, fill)
    if form == "RGB24":
        return clip
    return core.std.SetFrameProps(clip, _Matrix=vs.MATRIX_BT709, _Range=vs.RANGE_LIMITED, _ChromaLocation=0)


def converted(planes: Planes, form: str) -> Planes:
    """Return a picture of 4:2:0 in 8 bits in another format; any colours will do for RGB."""
    if form == "YUV420P10":
        return [plane.astype(np.uint16) << 2 for plane in planes]
    if form == "RGB24":
        luma, blue, red = planes[0], *(np.kron(plane, np.ones((2, 2), np.uint8)) for plane in planes[1:])
        return [luma, (luma // 2 + blue // 2).astype(np.uint8), (luma // 2 + red // 2).astype(np.uint8)]
    return planes


@functools.cache
def stored() -> dict[str, NDArray[Any]]:
    """Return the file's arrays: ``CASE/PLANE``, all made frames of a case in one, and ``footage/PLANE``."""
    with np.load(STORED) as arrays:
        return dict(arrays)


def footage() -> list[Planes]:
    """Return the frames that all cases begin with."""
    return [[stored()[f"footage/{plane}"][n] for plane in range(3)] for n in range(FRAMES)]


def pictures(frame: vs.VideoFrame) -> Planes:
    return [np.array(frame[plane]) for plane in range(frame.format.num_planes)]


def main() -> None:
    """Write the footage and what OpenVINO makes of it in FP32."""
    film = core.bs.VideoSource(str(ROOT / "vs_interp/clips/bbb_360p24.mp4"), cachemode=0, showprogress=False)
    clip = film[FIRST : FIRST + FRAMES]
    clip = clip.std.Crop(left=240, right=clip.width - 240 - WIDTH, top=120, bottom=clip.height - 120 - HEIGHT)
    arrays = _stacked("footage", [pictures(frame) for frame in clip.frames(close=True)])
    write(arrays)
    backend = OpenVINO(precision="fp32")
    for name, case in CASES.items():
        made = case.make(source(case.form), backend)
        arrays |= _stacked(name, [pictures(made.get_frame(number)) for number in case.made])
        print(name, *(array.shape for key, array in arrays.items() if key.startswith(f"{name}/")))
    write(arrays)


def write(arrays: dict[str, NDArray[Any]]) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_whole(STORED, content.getvalue())
    stored.cache_clear()


def _stacked(name: str, frames: list[Planes]) -> dict[str, NDArray[Any]]:
    return {f"{name}/{plane}": np.stack(values) for plane, values in enumerate(zip(*frames, strict=True))}


if __name__ == "__main__":
    main()
