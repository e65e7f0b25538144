"""Video files, decoded by libav, reduced in size, and divided into runs without cuts and repeated frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vs_interp.errors import DatasetError

from .planar import FrameFormat, thumbnail
from .runs import FEWEST, Frame
from .windows import CUT, STILL

UNEVEN = 1.7
"""Frames are evenly spaced in time as long as no two successive intervals have a larger ratio."""

COLORSPACES = {"bt709": Colorspace.ITU709, "bt601": Colorspace.ITU601, "bt2020": Colorspace.BT2020}
MATRICES = {int(value): name for name, value in COLORSPACES.items()}


@dataclass
class Tally:
    """Counts of a video's frames.

    ``frames`` were decoded and ``kept`` are in runs.  Runs end at ``cuts``, at repeated frames (``stills``), at
    ``uneven`` intervals and at ``damaged`` frames.
    """

    frames: int = 0
    kept: int = 0
    cuts: int = 0
    stills: int = 0
    uneven: int = 0
    damaged: int = 0


@dataclass
class Video:
    """A video file, which is read from its first frame to its last.

    Frames are reduced to at most ``height`` rows, never enlarged, with even sides and 8 bits.  Raises
    :class:`DatasetError` if the file is missing or holds no video.

    span
        Start and end of the part that is read, in seconds from the beginning; by default all of it.
    frame_format
        The format of the frames.
    expected
        Number of frames according to the container; 0 if unknown.
    seconds
        Duration according to the container; 0 if unknown.
    tally
        Counts of the frames read so far.
    """

    path: Path
    height: int | None = None
    span: tuple[float, float] | None = None
    frame_format: FrameFormat = field(init=False)
    expected: int = field(init=False)
    seconds: float = field(init=False)
    tally: Tally = field(init=False, default_factory=Tally)

    def __post_init__(self) -> None:
        with _opened(self.path) as (container, stream):
            first = next((frame for frame in _decoded(container, stream) if frame is not None), None)
            if first is None:
                raise DatasetError(f"no frame of {self.path} can be decoded: use another video")
            self.frame_format = _frame_format(first, self.height)
            whole = float((container.duration or 0) / av.time_base)
            self.seconds = float((stream.duration or 0) * (stream.time_base or 0)) or whole
            self.expected = stream.frames or round(self.seconds * float(stream.average_rate or 0))

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of all runs of at least :data:`FEWEST` frames.

        Raises :class:`DatasetError` if the video is interlaced or cannot be read.
        """
        held: list[Frame] = []
        length = 0
        for frame in self._measured():
            if frame.difference is None:
                held, length = [], 0
            held.append(frame)
            length += 1
            if length >= FEWEST:
                self.tally.kept += len(held)
                yield from held
                held = []

    def _measured(self) -> Iterator[Frame]:
        """Yield every frame, with its difference to the previous one if the two belong to one run."""
        before: NDArray[np.int16] | None = None
        for number, even, planes in self._planes():
            seen = thumbnail(planes, self.frame_format)
            difference = None
            if even and before is not None:
                difference = round(float(np.abs(seen - before).mean()), 3)
                self.tally.cuts += difference > CUT
                self.tally.stills += difference < STILL
            before = seen
            runs_on = difference is not None and STILL <= difference <= CUT
            yield Frame(number, planes, difference if runs_on else None)

    def _planes(self) -> Iterator[tuple[int, bool, NDArray[np.uint8]]]:
        """Yield every frame's number, whether it follows the previous one at an even interval, and its planes."""
        reformatter, tally = VideoReformatter(), self.tally
        stamp: int | None = None
        step, follows = 0, False
        with _opened(self.path) as (container, stream):
            for number, frame in enumerate(_decoded(container, stream, self.span)):
                tally.frames += 1
                if frame is None:
                    tally.damaged += 1
                    step, follows = 0, False
                    continue
                if frame.interlaced_frame:
                    raise DatasetError(
                        f"frame {number} of {self.path} is interlaced: deinterlace the film (ffmpeg -vf bwdif) or, if "
                        "it is only flagged wrongly, encode it again as progressive (-field_order progressive)"
                    )
                moved = frame.pts - stamp if follows and frame.pts is not None and stamp is not None else 0
                uneven = step > 0 and moved > 0 and not step / UNEVEN <= moved <= step * UNEVEN
                tally.uneven += uneven
                yield number, follows and not uneven, _to_planes(reformatter, frame, self.frame_format)
                stamp, step, follows = frame.pts, moved, True


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and its first video stream that is not a cover picture."""
    if path.is_dir():
        raise DatasetError(f"{path} is a folder: name the video files in it, such as {path / '*.mp4'}")
    if not path.is_file():
        raise DatasetError(f"cannot read {path}: there is no such file")
    try:
        with av.open(f"file:{path}") as container:
            tracks = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not tracks or container.format.name == "tty":
                raise DatasetError(f"{path} contains no video: name a video file")
            tracks[0].thread_type = "AUTO"
            yield container, tracks[0]
    except (av.FFmpegError, OSError) as error:
        raise DatasetError(f"{path} is not a video file, or it is damaged ({error.strerror})") from error


def _decoded(
    container: InputContainer, stream: VideoStream, span: tuple[float, float] | None = None
) -> Iterator[VideoFrame | None]:
    """Yield the frames of a stream, or only those within ``span`` (start and end in seconds).

    Frames that are damaged, or may be predicted from a damaged one, are ``None``.
    """
    if span is None:
        yield from _marked(container, stream)
        return
    base, begin = stream.time_base or Fraction(1, av.time_base), stream.start_time or 0
    start, end = (begin + round(second / base) for second in span)
    container.seek(start, stream=stream)
    for frame in _marked(container, stream):
        if frame is not None and frame.pts is not None and frame.pts >= end:
            return
        if frame is None or frame.pts is None or frame.pts >= start:
            yield frame


def _marked(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Yield all frames from the container's current position on; ``None`` for damaged ones."""
    spoilt = False
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                spoilt = frame.is_corrupt or (spoilt and not frame.key_frame)
                yield None if spoilt else frame
        except av.InvalidDataError:
            spoilt = True
            yield None


def _frame_format(frame: VideoFrame, height: int | None) -> FrameFormat:
    """Return the format of a video's frames as planes, found from its first frame."""
    shrink = min(1.0, (height or frame.height) / frame.height)
    lines, columns = (max(2, round(side * shrink) // 2 * 2) for side in (frame.height, frame.width))
    guess = "bt709" if frame.height >= 720 or frame.width > 1024 else "bt601"
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return FrameFormat(lines, columns, MATRICES.get(int(frame.colorspace), guess), full)


def _to_planes(reformatter: VideoReformatter, frame: VideoFrame, frame_format: FrameFormat) -> NDArray[np.uint8]:
    """Return a copy of a frame as planes of a format."""
    matrix, levels = COLORSPACES[frame_format.matrix], ColorRange.JPEG if frame_format.full else ColorRange.MPEG
    made = reformatter.reformat(
        frame, frame_format.width, frame_format.height, "yuv420p", matrix, matrix,
        Interpolation.BICUBIC | Interpolation.ACCURATE_RND, levels, levels,
    )  # fmt: skip
    return np.asarray(made.to_ndarray(), np.uint8).reshape(-1)
