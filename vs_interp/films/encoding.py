"""The ffmpeg command that encodes a clip's frames and takes all else (sound, subtitles, chapters) from the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import vapoursynth as vs

from .alpha import format_with_alpha, with_alpha
from .codecs import Choice, Chosen, choose_codec
from .containers import ATTACH, Carried, carry, container_format
from .ffmpeg import find_ffmpeg, keep_time_stamps, version
from .picture_options import aspect, colour_tags, for_the_picture, muxer_options
from .pixels import pixel_format
from .source import Source, Stream
from .stereo import TAG, has_packing, with_packing
from .timecode import retimed

STEREO_TAGGED = ("matroska", "webm")
"""Containers that say how two views lie in a frame; elsewhere H.264 says so itself."""

FINE = Fraction(1, 20_000)
"""Seconds to which a picture that begins later than the sound does so exactly."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How one clip becomes one file.

    arguments
        ffmpeg's options for the picture, such as ``-c:v libx265 -crf 18``.
    others, sound_arguments
        The source's streams that the file gets beside it, and ffmpeg's options for its sound.
    notes
        A line on each thing that does not stay as it was in the source.
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
        """Choose what fits the clip, the source's other streams and the container that the output's suffix names.

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
        """Whether frames carry alpha, and the encoder is given it."""
        return self.stream.alpha is not None

    @property
    def pixel_format(self) -> str:
        """ffmpeg's name of the format of the frames in the pipe."""
        name = pixel_format(self.stream.clip.format)
        return format_with_alpha(name) if self.alpha else name

    @property
    def pipe_format(self) -> str:
        """What ffmpeg reads: bare frames at a constant rate, which then stays known, or NUT with time stamps."""
        return "rawvideo" if self.stream.tick is None else "nut"

    @property
    def tick(self) -> Fraction:
        """Seconds of which the output's time stamps are multiples: the frames' at a constant rate, else finer."""
        if self.stream.tick is not None:
            return self.stream.tick
        lasts, late = 1 / self.stream.clip.fps, self.source.start
        parts = 1 if late % lasts == 0 else ceil(lasts / FINE)  # a picture that begins late does so exactly
        return Fraction(lasts / parts)

    def command(self, first: vs.VideoFrame, output: Path) -> list[str]:
        """Return the command; ``first`` is the first frame, whose properties say how to read the colours."""
        return [
            *self._frames(first), *self._all_else(), *self._encoded(first), *self._last_duration(), *self.arguments,
            f"file:{output}", *self._whole_source(),
        ]  # fmt: skip

    def chunk_command(self, first: vs.VideoFrame, output: Path, container: str) -> list[str]:
        """Return the command that encodes a range of the frames alone, in any container."""
        return [*self._frames(first), *self._encoded(first), *self.arguments, "-f", container, f"file:{output}"]

    def join_command(self, pipe_format: str, output: Path) -> list[str]:
        """Return the command that takes the picture as it was encoded, out of a pipe, and all else from the source."""
        return [
            *self._head(), *self._late(), "-f", pipe_format, "-i", "pipe:0", *self._all_else(), *self._last_duration(),
            "-c:v:0", "copy", *self._nominal_rate(), *muxer_options(self.arguments),
            f"file:{output}", *self._whole_source(),
        ]  # fmt: skip

    def _nominal_rate(self) -> list[str]:
        """Say what the constant rate is: packets do not, and AVI counts by it."""
        fps = self.stream.clip.fps
        return ["-r:v:0", f"{fps.numerator}/{fps.denominator}"] if self.stream.tick is None else []

    def _head(self) -> list[str]:
        return [self.ffmpeg, "-v", "error", "-nostdin", "-y"]

    def _late(self) -> list[str]:
        return ["-itsoffset", f"{float(self.source.start):.6f}"]

    def _frames(self, first: vs.VideoFrame) -> list[str]:
        """Return the beginning of a command that reads frames from a pipe."""
        clip = self.stream.clip
        shape = ["-pixel_format", self.pixel_format, "-video_size", f"{clip.width}x{clip.height}"]
        shape += ["-framerate", f"{clip.fps.numerator}/{clip.fps.denominator}"]
        return [
            *self._head(), *colour_tags(first), *(shape if self.pipe_format == "rawvideo" else ()),
            *self._late(), "-f", self.pipe_format, "-i", "pipe:0",
        ]  # fmt: skip

    def _all_else(self) -> list[str]:
        """Return the options that map the picture from the pipe, and all else from the source."""
        return [
            *self._window(), "-i", f"file:{self.source.path}",
            "-map", "0:v", *self._others(),
            "-map_chapters", "1", "-map_metadata", "1",
            *self._labels(),
        ]  # fmt: skip

    def _labels(self) -> list[str]:
        """Return the options for what the source says of its picture."""
        options = []
        for name, value in self.source.labels.tags.items():
            options += ["-metadata:s:v:0", f"{name}={value}"]
        if self.alpha and self.container in ("matroska", "webm"):
            options += ["-metadata:s:v:0", "alpha_mode=1"]
        if self.source.labels.timecode:
            options += ["-metadata", f"timecode={_timecode(self.source, self.stream) or ''}"]
        roles = "+".join(self.source.labels.roles)
        return [*options, "-disposition:0", roles] if roles else options  # ffmpeg makes one the default by itself

    def _encoded(self, first: vs.VideoFrame) -> list[str]:
        """Return what an encoder is told of colour, shape and time."""
        return [
            *colour_tags(first), *aspect(first), "-field_order", "progressive",
            *keep_time_stamps(self.ffmpeg), "-enc_time_base:v", f"{self.tick.numerator}/{self.tick.denominator}",
        ]  # fmt: skip

    def _window(self) -> list[str]:
        """Take of the source's other streams what goes with a part of its picture."""
        if self.source.window is None:
            return []
        begins, lasts = self.source.window
        return ["-ss", f"{float(begins):.6f}", "-t", f"{float(lasts):.6f}"]

    def _last_duration(self) -> list[str]:
        """Tell a variable rate's muxer when the last frame ends, which no time stamp does.

        Of all other frames the next one's time stamp counts.  Decoded last and shown last need not be the same frame:
        those of the last second are told not to last beyond the end by either.
        """
        if self.stream.seconds is None or self.stream.last is None:
            return []
        lasts = float(self.stream.seconds)
        end, near = float(self.source.start) + lasts, float(self.stream.last) + 1
        left = f"min({end!r}/TB-PTS,{lasts!r}/TB-(DTS-STARTDTS))"
        return ["-bsf:v:0", f"setts=pts=PTS:dts=DTS:duration='if(gte(PTS*TB,{end - near!r}),{left},DURATION)'"]

    def _whole_source(self) -> list[str]:
        """Have ffmpeg use the source's picture too, though for nothing.

        It takes a file for beginning where the first stream that it uses begins, and would else move sound that comes
        late in a disc's or a broadcast's file to the front.
        """
        return ["-map", f"1:{self.source.track}", "-c", "copy", "-f", "null", "-"]

    def _others(self) -> list[str]:
        """Return the options that carry the source's other streams over; they follow the picture in their order."""
        options = []
        streams = [carried for carried in self.others if carried.encoder != ATTACH]
        for place, carried in enumerate(streams, start=1):
            options += ["-map", f"1:{carried.stream.index}", f"-c:{place}", carried.encoder]
            options += [] if self.source.window is None else [f"-copypriorss:{place}", "0"]  # none from before the part
            options += [f"{word}:{place}" if word.startswith("-") else word for word in carried.options]
        return [*options, *self._attached(), *self.sound_arguments]

    def _attached(self) -> list[str]:
        """Return the options for files in Matroska: the source's own, and covers."""
        if self.container != "matroska":
            return []
        options = ["-map", "1:t?", "-c:t", "copy"]
        for number, carried in enumerate(carried for carried in self.others if carried.encoder == ATTACH):
            place, kind = (
                self.source.labels.files + number,
                carried.stream.file.suffix[1:] if carried.stream.file else "",
            )
            options += ["-attach", f"file:{carried.stream.file}", f"-metadata:s:t:{place}", f"mimetype=image/{kind}"]
            options += [f"-metadata:s:t:{place}", f"filename=cover.{kind}"]
        return options


def with_alpha_that_is_kept(source: Source, output: Path, choice: Choice) -> Stream:
    """Return a source's stream, without alpha where the output will have none: no network need work on it.

    Raises :class:`ArgumentError` or :class:`EncoderError`.
    """
    stream = source.stream
    if stream.alpha is None or choose_codec(find_ffmpeg(), container_format(output), stream.clip, choice).alpha:
        return stream
    return replace(stream, alpha=None)


def _as_encoded(stream: Stream, chosen: Chosen) -> Stream:
    """Return the stream in the format to encode; its frames carry alpha where that is kept."""
    if stream.alpha is None or not chosen.alpha:
        return replace(stream, clip=chosen.clip, alpha=None)
    return replace(stream, clip=with_alpha(chosen.clip, stream.alpha))


def _timecode(source: Source, stream: Stream) -> str | None:
    return retimed(source.labels.timecode, source.labels.rate, stream.clip.fps, source.first)


def _unlabelled(source: Source, stream: Stream, container: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield a line on what the source says of its picture and the output cannot say."""
    labels = source.labels
    if labels.files and container != "matroska":
        yield f"{container} holds no attached files (fonts and the like), {labels.files} left out"
    if labels.timecode and _timecode(source, stream) is None:
        yield f"the time code {labels.timecode} has no equal at the output's rate and is left out"
    if (views := labels.tags.get(TAG)) and container not in STEREO_TAGGED and not has_packing(arguments):
        yield (
            f"{container} does not say how two views lie in a frame (stereo_mode {views}), but in H.264 with the left "
            "one first: tell the player"
        )
