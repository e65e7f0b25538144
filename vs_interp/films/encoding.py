"""The ffmpeg command that encodes a clip and copies everything else (sound, subtitles, chapters) from the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import vapoursynth as vs

from . import carrying
from .alpha import format_with_alpha, with_alpha
from .codecs import Choice, Chosen, choose_codec
from .containers import Carried, carry, container_format
from .ffmpeg import find_ffmpeg, keep_time_stamps, version
from .picture_options import aspect, colour_tags, for_a_copy, for_the_picture
from .pixels import pixel_format
from .source import Source, Stream
from .stereo import TAG, has_packing, with_packing
from .timecode import retimed

STEREO_TAGGED = ("matroska", "webm")
"""Containers with a tag for the layout of stereoscopic frames; in others H.264 itself can say it."""

COUNTS_FRAMES = "avi"
"""The container that has no other time than the number of frames at the rate that its header states."""

START_PRECISION = Fraction(1, 20_000)
"""Greatest error, in seconds, of the start of a picture that begins later than the sound."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How a clip is written to a file.

    arguments
        ffmpeg's options for the picture, such as ``-c:v libx265 -crf 18``.
    others, sound_arguments
        The other streams of the source that go into the file, and ffmpeg's options for its sound.
    notes
        A line on each thing that is lost or changed in comparison with the source.
    """

    ffmpeg: str
    source: Source
    stream: Stream
    container: str
    arguments: tuple[str, ...]
    others: tuple[Carried, ...]
    sound_arguments: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def prepare(cls, source: Source, stream: Stream, output: Path, choice: Choice) -> Encoding:
        """Choose the encoder and streams that suit the clip and the container, which follows from the output's suffix.

        Raises :class:`ArgumentError` or :class:`EncoderError`.
        """
        container = container_format(output)
        ffmpeg = find_ffmpeg()
        version(ffmpeg)
        chosen = choose_codec(ffmpeg, container, stream.clip, choice)
        arguments = chosen.arguments
        if container not in STEREO_TAGGED:
            arguments = with_packing(arguments, source.labels.tags.get(TAG, ""))
        others, notes = carry(container, source.others, choice.sound_arguments)
        return cls(
            ffmpeg=ffmpeg, source=source, stream=_as_encoded(stream, chosen), container=container,
            arguments=tuple(for_the_picture(arguments)), others=tuple(others),
            sound_arguments=choice.sound_arguments,
            notes=(*source.notes, *_unlabelled(source, stream, container, arguments), *chosen.notes, *notes),
        )  # fmt: skip

    @property
    def alpha(self) -> bool:
        """Whether alpha is encoded."""
        return self.stream.alpha is not None

    @property
    def pixel_format(self) -> str:
        """ffmpeg's name of the pixel format in the pipe."""
        name = pixel_format(self.stream.clip.format)
        return format_with_alpha(name) if self.alpha else name

    @property
    def pipe_format(self) -> str:
        """The format of the pipe: raw frames at a constant rate, so that ffmpeg knows it, else timed frames in NUT."""
        return "rawvideo" if self.stream.tick is None else "nut"

    @property
    def tick(self) -> Fraction:
        """Seconds per tick of the output: at a constant rate a frame, or a part of one if the start asks for it."""
        if self.stream.tick is not None:
            return self.stream.tick
        duration = 1 / self.stream.clip.fps
        whole = self.container == COUNTS_FRAMES or self.source.start % duration == 0
        parts = 1 if whole else ceil(duration / START_PRECISION)
        return Fraction(duration / parts)

    @property
    def mean_rate(self) -> Fraction | None:
        """The frames per second that the file will state, at a variable rate their mean; ``None`` if unknown."""
        clip, seconds = self.stream.clip, self.stream.seconds
        mean = clip.fps or (len(clip) / seconds if seconds else None)
        return mean.limit_denominator(1001) if mean else None

    def command(self, first: vs.VideoFrame, output: Path) -> list[str]:
        """Return the command that encodes frames from its standard input; ``first`` is the first, for its colours."""
        return [
            *self._frame_input(first), *self._mapping(), *self._frame_output(first), *self._last_duration(),
            *self._exact_start(), "-f", self.container, *self.arguments, f"file:{output}",
            *carrying.unused_streams(self.source, self.others),
        ]  # fmt: skip

    def chunk_command(self, first: vs.VideoFrame, output: Path, container: str) -> list[str]:
        """Return the command that encodes a range of frames, without other streams, into any container."""
        return [
            *self._frame_input(first), *self._frame_output(first), *self.arguments, "-f", container, f"file:{output}",
        ]  # fmt: skip

    def join_command(self, pipe_format: str, colours: Sequence[str], output: Path) -> list[str]:
        """Return the command that copies encoded video from its standard input, and the rest from the source.

        ``colours`` are ffmpeg's options for the colours of the video, where its format in the pipe has none.  The
        user's options for the file and the other streams hold here, those for the encoder were for the chunks.
        """
        return [
            *self._head(), *_delay(self.source.start), "-f", pipe_format, "-i", "pipe:0",
            *self._mapping(), *self._last_duration(), *for_a_copy(self.arguments), "-c:v:0", "copy", *colours,
            *self._nominal_rate(), "-f", self.container, f"file:{output}",
            *carrying.unused_streams(self.source, self.others),
        ]  # fmt: skip

    def _nominal_rate(self) -> list[str]:
        """State the constant rate for AVI, which needs it and cannot learn it from packets."""
        fps = self.stream.clip.fps
        return ["-r:v:0", f"{fps.numerator}/{fps.denominator}"] if self.stream.tick is None else []

    def _head(self) -> list[str]:
        return [self.ffmpeg, "-v", "error", "-nostdin", "-y"]

    def _frame_input(self, first: vs.VideoFrame) -> list[str]:
        """Return the beginning of a command that reads frames from its standard input."""
        clip = self.stream.clip
        shape = ["-pixel_format", self.pixel_format, "-video_size", f"{clip.width}x{clip.height}"]
        shape += ["-framerate", f"{clip.fps.numerator}/{clip.fps.denominator}"]
        return [
            *self._head(), *colour_tags(first), *(shape if self.pipe_format == "rawvideo" else ()),
            *_delay(self._start_of_input), "-f", self.pipe_format, "-i", "pipe:0",
        ]  # fmt: skip

    @property
    def _start_of_input(self) -> Fraction:
        """The start of the picture, at a constant rate to whole frames: raw frames have no other times."""
        if self.stream.tick is not None:
            return self.source.start
        fps = self.stream.clip.fps
        return Fraction(round(self.source.start * fps) / fps)

    def _exact_start(self) -> list[str]:
        """Return the option that moves the picture to its exact start, by less than a frame."""
        rest = self.source.start - self._start_of_input
        ticks = f"round({float(rest)!r}/TB)"
        return ["-bsf:v:0", f"setts=pts=PTS+{ticks}:dts=DTS+{ticks}"] if rest else []

    def _mapping(self) -> list[str]:
        """Return the options that take the picture from standard input and everything else from the source."""
        return [
            *carrying.inputs(self.source, self.others),
            "-map", "0:v", *carrying.streams(self.source, self.container, self.others), *self.sound_arguments,
            "-map_metadata", "1",
            *self._labels(),
        ]  # fmt: skip

    def _labels(self) -> list[str]:
        """Return the options for the picture's metadata, as in the source."""
        options = []
        for name, value in self.source.labels.tags.items():
            options += ["-metadata:s:v:0", f"{name}={value}"]
        if self.alpha and self.container in ("matroska", "webm"):
            options += ["-metadata:s:v:0", "alpha_mode=1"]
        if self.source.labels.timecode:
            options += ["-metadata", f"timecode={_timecode(self.source, self.stream) or ''}"]
        roles = "+".join(self.source.labels.roles)
        return [*options, "-disposition:0", roles] if roles else options  # without any, ffmpeg picks a default stream

    def _frame_output(self, first: vs.VideoFrame) -> list[str]:
        """Return the encoder's options for colour, aspect ratio and time stamps."""
        return [
            *colour_tags(first), *aspect(first), "-field_order", "progressive",
            *keep_time_stamps(self.ffmpeg), "-enc_time_base:v", f"{self.tick.numerator}/{self.tick.denominator}",
        ]  # fmt: skip

    def _last_duration(self) -> list[str]:
        """At a variable rate, tell the muxer when the last frame ends, which no time stamp does.

        All other frames end at the time stamp of the next.  The frame decoded last need not be the one shown last, so
        all frames of the last second are kept from lasting beyond the end by either clock.
        """
        if self.stream.seconds is None or self.stream.last is None:
            return []
        duration = float(self.stream.seconds)
        end, near = float(self.source.start) + duration, float(self.stream.last) + 1
        left = f"min({end!r}/TB-PTS,{duration!r}/TB-(DTS-STARTDTS))"
        return ["-bsf:v:0", f"setts=pts=PTS:dts=DTS:duration='if(gte(PTS*TB,{end - near!r}),{left},DURATION)'"]


def stream_to_encode(source: Source, output: Path, choice: Choice) -> Stream:
    """Return the source's stream, without its alpha if the output cannot keep it: no network need work on that.

    Raises :class:`ArgumentError` or :class:`EncoderError`.
    """
    stream = source.stream
    if stream.alpha is None or choose_codec(find_ffmpeg(), container_format(output), stream.clip, choice).alpha:
        return stream
    return replace(stream, alpha=None)


def _as_encoded(stream: Stream, chosen: Chosen) -> Stream:
    """Return the stream in the chosen pixel format, with alpha on its frames if that is kept."""
    if stream.alpha is None or not chosen.alpha:
        return replace(stream, clip=chosen.clip, alpha=None)
    return replace(stream, clip=with_alpha(chosen.clip, stream.alpha))


def _delay(seconds: Fraction) -> list[str]:
    return ["-itsoffset", f"{float(seconds):.6f}"]


def _timecode(source: Source, stream: Stream) -> str | None:
    return retimed(source.labels.timecode, source.labels.rate, stream.clip.fps, source.first)


def _unlabelled(source: Source, stream: Stream, container: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield a line on each piece of metadata that the output cannot hold."""
    labels = source.labels
    if labels.files and container != "matroska":
        yield f"{container} holds no attached files (fonts and the like), {labels.files} left out"
    if labels.timecode and _timecode(source, stream) is None:
        yield f"the time code {labels.timecode} has no equivalent at the output's rate and is left out"
    if (views := labels.tags.get(TAG)) and container not in STEREO_TAGGED and not has_packing(arguments):
        yield (
            f"{container} has no tag for the layout of stereoscopic frames (stereo_mode {views}), except in H.264 with "
            "the left view first: set it in the player"
        )
