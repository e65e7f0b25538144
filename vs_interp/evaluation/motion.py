"""Classical methods: mvtools and ffmpeg's minterpolate for interpolation, OpenCV's DIS for flow."""

from __future__ import annotations

import importlib
import importlib.util
import math
import subprocess
import threading
from collections.abc import Generator, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from vs_interp.errors import DatasetError, EncoderError, VsInterpError
from vs_interp.films.ffmpeg import error_in, find_ffmpeg, has_filter
from vs_interp.matrices import BT601

from .compare import Stretch
from .tasks import Made, Picture

if TYPE_CHECKING:
    import vapoursynth as vs

_RED, _GREEN, _BLUE = BT601
FULL_MATRIX = np.array((BT601, (-_RED / 1.772, -_GREEN / 1.772, 0.5), (0.5, -_GREEN / 1.402, -_BLUE / 1.402)))
"""RGB to Y, Cb, Cr of BT.601 in full range."""


def mvtools(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Interpolate with VapourSynth's mvtools: overlapping blocks of 16, half-pel, ``FlowFPS`` with mask 2.

    Works in 16-bit YUV 4:4:4.  ``FlowFPS`` uses one more frame on either side of a pair, so that a pair with its
    neighbours gives the same as the whole film.
    """
    count = len(stretch.frames)
    for place, times in zip(stretch.places, stretch.times, strict=True):
        first = max(place - 1, 0)
        clip = clip_of([stretch.picture(near) for near in range(first, min(place + 3, count))])
        factor = math.lcm(*(time.denominator for time in times))
        sup = clip.mv.Super(pel=2)
        vectors = [sup.mv.Analyse(isb=isb, blksize=16, overlap=8, search=3) for isb in (True, False)]
        made = clip.mv.FlowFPS(sup, *vectors, num=clip.fps_num * factor, den=clip.fps_den, mask=2)
        yield [picture_of(made, int((place - first + time) * factor)) for time in times]


def missing_mvtools() -> str | None:
    """Return what has to be installed for :func:`mvtools`."""
    import vapoursynth as vs

    return None if hasattr(vs.core, "mv") else "the plugin is not installed: pip install vapoursynth-mvtools"


def clip_of(pictures: Sequence[Picture]) -> vs.VideoNode:
    """Return pictures as a clip: RGB as YUV444P16 (BT.709, full range), grey as GRAY8."""
    import vapoursynth as vs

    height, width = pictures[0].shape[:2]
    grey = pictures[0].ndim == 2
    kind = vs.GRAY8 if grey else vs.RGB24
    blank = vs.core.std.BlankClip(format=kind, width=width, height=height, length=len(pictures), fpsnum=30)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane in range(frame.format.num_planes):
            np.asarray(frame[plane])[...] = pictures[n] if grey else pictures[n][..., plane]
        return frame

    filled = blank.std.ModifyFrame(blank, fill)
    if grey:
        return filled.std.SetFrameProps(_Range=vs.RANGE_FULL)
    return filled.resize.Point(format=vs.YUV444P16, matrix=vs.MATRIX_BT709, range=vs.RANGE_FULL)


def picture_of(clip: vs.VideoNode, number: int) -> Picture:
    """Return a frame of a clip of :func:`clip_of` as a picture."""
    import vapoursynth as vs

    if clip.format.color_family == vs.GRAY:
        with clip.get_frame(number) as frame:
            return np.array(frame[0])
    colours = clip.resize.Point(format=vs.RGB24, matrix_in=vs.MATRIX_BT709, range_in=vs.RANGE_FULL)
    with colours.get_frame(number) as frame:
        return np.stack([np.asarray(frame[plane]) for plane in range(3)], 2)


def minterpolate(stretch: Stretch) -> Generator[list[Made], None, None]:
    """Interpolate with ffmpeg's ``minterpolate``: bidirectional search, overlapping blocks of variable size.

    ffmpeg gets the whole stretch in 8-bit YUV 4:4:4, full range (``minterpolate`` does not take RGB), and the last
    frame twice, which it needs to make the frames before it.
    """
    factor = math.lcm(*(time.denominator for times in stretch.times for time in times))
    width, height = stretch.size
    raw = ["-f", "rawvideo", "-pix_fmt", "yuvj444p"]
    how = f"minterpolate=fps={30 * factor}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none"
    command = [
        find_ffmpeg(), "-v", "error", *raw, "-s", f"{width}x{height}", "-r", "30", "-i", "-", "-vf", how, *raw, "-",
    ]  # fmt: skip
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    failure: list[VsInterpError] = []
    writer = threading.Thread(target=_feed, args=(process.stdin, stretch, failure), daemon=True)
    writer.start()
    try:
        position, frame = -1, b""
        for place, times in zip(stretch.places, stretch.times, strict=True):
            made = []
            for time in times:
                while position < (place + time) * factor:
                    frame = process.stdout.read(3 * height * width)
                    position += 1
                if len(frame) < 3 * height * width:
                    raise failure[0] if failure else EncoderError(_reason(process.stderr))
                made.append(_rgb(np.frombuffer(frame, np.uint8).reshape(3, height, width)))
            yield made
    finally:
        process.kill()
        process.wait()
        writer.join()
        process.stdout.close()
        process.stderr.close()


def missing_minterpolate() -> str | None:
    """Return what has to be installed for :func:`minterpolate`."""
    try:
        ffmpeg = find_ffmpeg()
    except EncoderError as error:
        return str(error)
    return None if has_filter(ffmpeg, "minterpolate") else f"{ffmpeg} has no such filter: install a full ffmpeg"


def _feed(pipe: IO[bytes], stretch: Stretch, failure: list[VsInterpError]) -> None:
    """Write a stretch to ffmpeg until it stops reading."""
    last = len(stretch.frames) - 1
    try:
        with pipe:
            for place in range(last + 2):
                pipe.write(_yuv(stretch.picture(min(place, last))).tobytes())
    except BrokenPipeError:
        pass  # ffmpeg has ended: reported by the reader of its output
    except DatasetError as error:
        failure.append(error)


def _yuv(picture: Picture) -> Picture:
    """Convert RGB (H×W×3) to planes of Y, Cb, Cr (3×H×W)."""
    planes = np.moveaxis(picture @ FULL_MATRIX.T, 2, 0) + np.array((0, 128, 128))[:, None, None]
    codes: Picture = np.round(planes.clip(0, 255)).astype(np.uint8)
    return codes


def _rgb(planes: Picture) -> Picture:
    """Convert planes of Y, Cb, Cr (3×H×W) to RGB (H×W×3)."""
    centred = np.moveaxis(planes, 0, 2) - np.array((0.0, 128.0, 128.0))
    codes: Picture = np.round((centred @ np.linalg.inv(FULL_MATRIX).T).clip(0, 255)).astype(np.uint8)
    return codes


def _reason(errors: IO[bytes]) -> str:
    words = error_in(errors.read().decode(errors="replace"))
    return f"ffmpeg's minterpolate stopped ({words or 'it made too few frames'}): leave it out of --against"


def dis(stretch: Stretch) -> Generator[list[Made], None, None]:
    """See flow by Dense Inverse Search (Kroeger et al. 2016, arXiv:1603.03590), OpenCV's finest preset."""
    cv2: Any = importlib.import_module("cv2")
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for window in stretch.windows:
        pictures = [stretch.material.input(stretch.sequence, number) for number in window.inputs]
        grey = [np.round(picture @ np.array(BT601)).astype(np.uint8) for picture in pictures]
        yield [search.calc(*grey, None)]


def missing_dis() -> str | None:
    """Return what has to be installed for :func:`dis`."""
    return None if importlib.util.find_spec("cv2") else "OpenCV is not installed: pip install opencv-python-headless"
