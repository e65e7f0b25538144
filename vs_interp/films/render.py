"""Render a clip to a video file: frames go from VapourSynth through a pipe to ffmpeg."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Buffer, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, cast

import av
import numpy as np
import vapoursynth as vs

from vs_interp.errors import EncoderError, SourceError
from vs_interp.interrupt import on_forced_exit, uninterrupted
from vs_interp.log import logger

from .alpha import PLANE
from .encoding import Encoding
from .ffmpeg import error_in
from .unfinished import finished_as


def render(encoding: Encoding, output: Path, *, overwrite: bool, ahead: int, advance: Callable[[], None]) -> int:
    """Encode the clip to ``output``, which appears only when it is complete; return the number of frames written.

    ``ahead`` frames are requested in advance; ``advance`` is called after each frame that was passed to ffmpeg.  Raises
    :class:`SourceError` if a frame cannot be made, :class:`EncoderError` with ffmpeg's reason, :class:`ArgumentError`
    if ``output`` exists and ``overwrite`` is not set.
    """
    clip = encoding.stream.clip
    frames = clip.frames(prefetch=ahead, backlog=ahead, close=True)
    with closing(frames), finished_as(output, overwrite=overwrite) as unfinished:
        done = 0
        try:
            first = next(frames)
            with run_ffmpeg(encoding.command(first, unfinished)) as pipe:
                writer = FrameWriter(pipe, encoding)
                for frame in chain([first], frames):
                    writer.write(frame)
                    done += 1
                    advance()
                writer.close()
        except vs.Error as error:
            reason = reason_of(error)
            raise SourceError(f"{reason} (at frame {done} of {len(clip)})" if done else reason) from error
    return done


def frames_in(film: Path) -> int:
    """Return the number of frames in a film, by reading all of it without decoding."""
    with av.open(f"file:{film}") as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def reason_of(error: vs.Error) -> str:
    """Return in one line why a frame could not be made; errors from Python callbacks contain a traceback."""
    return re.sub(r"^vs_interp\.errors\.\w+: ", "", str(error).strip().splitlines()[-1])


BUFFER = 1 << 22
"""Bytes written to the pipe at once: a 1080p frame."""

SKIPPED = "Error applying bitstream filters to a packet"
"""ffmpeg's message where it leaves out a packet of another stream and goes on."""

READER_ENDED = {errno.EPIPE, errno.EINVAL}
"""Errors of a write after the reader has ended; Windows has no EPIPE."""


class Pipe:
    """ffmpeg's standard input; ``reader_ended`` is set when a write fails because ffmpeg has ended."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.reader_ended = file, False

    def write(self, content: Buffer) -> None:
        """Write all of ``content``."""
        with self._watching():
            self._file.write(content)

    def flush(self) -> None:
        """Write what is buffered."""
        with self._watching():
            self._file.flush()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.reader_ended = error.errno in READER_ENDED
            raise


class FrameWriter:
    """Writes frames to a pipe in the encoding's ``pipe_format``: with time stamps, or raw at a constant rate."""

    def __init__(self, pipe: Pipe, encoding: Encoding) -> None:
        clip = encoding.stream.clip
        self._constant, self._tick = encoding.stream.tick is None, encoding.tick
        self._lasts = 1 / clip.fps if clip.fps else None
        self._planes = (1, 2, 0) if clip.format.color_family == vs.RGB else range(clip.format.num_planes)
        self._alpha = encoding.alpha
        self._number, self._time = 0, Fraction(0)
        self._pipe = pipe
        if self._constant:
            return
        self._container = av.open(pipe, "w", format=encoding.pipe_format, buffer_size=BUFFER)
        self._stream = self._container.add_stream("rawvideo", rate=encoding.mean_rate)
        self._stream.width, self._stream.height = clip.width, clip.height
        self._stream.pix_fmt, self._stream.time_base = encoding.pixel_format, self._tick

    def write(self, frame: vs.VideoFrame) -> None:
        """Write one frame.  Its planes are copied once: into the packet, or to remove padding from the lines."""
        planes = [np.asarray(frame[index]) for index in self._planes]
        if self._alpha:
            planes.append(np.asarray(frame.props[PLANE][0]))
        self._number += 1
        if self._constant:
            for plane in planes:
                self._pipe.write(np.ascontiguousarray(plane).data)
            return
        packet = av.Packet(sum(plane.nbytes for plane in planes))
        room = np.frombuffer(packet, np.uint8)
        start = 0
        for plane in planes:
            part = room[start : start + plane.nbytes]
            np.copyto(part.view(plane.dtype).reshape(plane.shape), plane)
            start += plane.nbytes
        packet.stream, packet.time_base, packet.is_keyframe = self._stream, self._tick, True
        packet.pts = packet.dts = self._stamp(frame)
        self._container.mux(packet)

    @property
    def ticks(self) -> int:
        """When the last written frame ends, in ticks; at a constant rate the number of frames."""
        return self._number if self._constant else round(self._time / self._tick)

    def close(self) -> None:
        """Write what is buffered."""
        if not self._constant:
            self._container.close()

    def _stamp(self, frame: vs.VideoFrame) -> int:
        """Return the frame's time stamp in ticks; durations are summed exactly, so that it does not drift."""
        stamp = round(self._time / self._tick)
        numerator, denominator = frame.props.get("_DurationNum", 0), frame.props.get("_DurationDen", 0)
        lasts = Fraction(numerator, denominator) if numerator and denominator else self._lasts
        if lasts is None:
            raise SourceError(
                f"frame {self._number - 1} has no duration: set _DurationNum and _DurationDen, or a frame rate"
            )
        self._time += lasts
        return stamp


@contextmanager
def run_ffmpeg(command: list[str]) -> Iterator[Pipe]:
    """Run ffmpeg, yield the pipe to it, and wait for its end.  Raises :class:`EncoderError` with ffmpeg's reason."""
    with tempfile.TemporaryFile() as log:
        with _running(command, log) as process:
            assert process.stdin is not None
            pipe = Pipe(process.stdin)
            try:
                yield pipe
                pipe.flush()
                process.stdin.close()
            except (OSError, av.FFmpegError):  # PyAV wraps the pipe's error
                if not pipe.reader_ended:
                    raise
            code = process.wait()
        log.seek(0)
        messages = log.read().decode(errors="replace")
        if code:  # with -frames:v among its arguments, ffmpeg stops reading early without an error
            raise EncoderError(f"ffmpeg stopped: {_reason(code, messages)}")
        if SKIPPED in messages:
            logger.warning("the film is damaged: packets of sound or subtitles that ffmpeg cannot read are left out")


@contextmanager
def _running(command: list[str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run ffmpeg in a session of its own, so that Ctrl-C does not reach it; kill it if it outlives the block."""
    with ExitStack() as stack:
        with uninterrupted():
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            end = partial(_end, process)
            stack.callback(end)
            stack.enter_context(on_forced_exit(end))
        yield process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()  # so that it opens no file after its files were removed
    with suppress(OSError):  # what is still buffered for it
        cast(IO[bytes], process.stdin).close()


def _reason(code: int, log: str) -> str:
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}, run the command again"
    reason = error_in(log) or os.strerror(256 - code)  # ffmpeg's exit code is 256 minus the system's error number
    full = os.strerror(errno.ENOSPC) in reason
    return (
        f"{reason} ({'make room' if full else 'correct --encoder-args or --audio-args'}, or name another output file)"
    )
