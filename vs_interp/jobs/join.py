"""Join the chunks of a job: their packets with exact time stamps, and all other streams from the source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vs_interp.errors import EncoderError
from vs_interp.films.render import BUFFER, Pipe, run_ffmpeg
from vs_interp.films.unfinished import finished_as

from .chunk import ChunkFolder, Record
from .conversion import OpenConversion

MILLISECONDS = ("matroska", "webm")
"""Containers that round times to milliseconds, and carry colour tags for codecs that cannot."""

COLOURS = ("color_range", "colorspace", "color_primaries", "color_trc")
"""ffmpeg's options for colours, and libav's names of them."""

PIPED = "frag_keyframe+empty_moov+negative_cts_offsets"
"""Flags to write MOV into a pipe; ``negative_cts_offsets`` allows decoding times before the first frame's time."""


def join(
    job: OpenConversion,
    folder: ChunkFolder,
    records: Sequence[Record],
    output: Path,
    *,
    overwrite: bool,
) -> None:
    """Write ``output`` from the chunks in ``folder``; the file appears only once it is complete.

    Raises :class:`EncoderError` with ffmpeg's message, or if the chunks' codec headers differ.
    """
    encoding = job.encoding
    pipe_format = _pipe_format(encoding.container, folder.film(0))
    colours = _colours(folder.film(0)) if pipe_format == "nut" else []
    with (
        finished_as(output, overwrite=overwrite) as unfinished,
        run_ffmpeg(encoding.join_command(pipe_format, colours, unfinished)) as pipe,
    ):
        chunks = [(folder.film(number), record) for number, record in enumerate(records)]
        rate = None if encoding.stream.tick is not None else encoding.stream.clip.fps
        _write(pipe, pipe_format, encoding.mean_rate, chunks, TimeStamps(records, encoding.tick, rate))


def _pipe_format(container: str, film: Path) -> str:
    """Return the container format for the pipe to ffmpeg: one with exact times if the output's container has them.

    MOV also stores decoding times.  NUT leaves these to its reader, but supports more raw pixel formats.
    """
    with av.open(f"file:{film}") as chunk:
        codec = chunk.streams.video[0].codec_context.codec
    exact = ("nut", "mov") if codec.intra_only else ("mov", "nut")
    for name in ("matroska", *exact) if container in MILLISECONDS else exact:
        with av.open(os.devnull, "w", format=name) as able:
            if codec.canonical_name in able.supported_codecs:
                return name
    raise EncoderError(f"chunks of {codec.canonical_name} cannot be joined: use --whole, or another codec")


def _colours(film: Path) -> list[str]:
    """Return ffmpeg's options for a chunk's colours, which NUT does not store."""
    with av.open(f"file:{film}") as chunk:
        context = chunk.streams.video[0].codec_context
        return [word for name in COLOURS for word in (f"-{name}", str(int(getattr(context, name))))]


class TimeStamps:
    """Decoding and presentation times (DTS and PTS) of the whole film, in ticks.

    With a reordering delay of ``delay`` packets, packet ``n`` is decoded when frame ``n - delay`` is shown: such times
    never decrease, and are never later than the packet's own presentation time.
    """

    def __init__(self, records: Sequence[Record], tick: Fraction, rate: Fraction | None) -> None:
        self.tick = tick
        usual = 1 if rate is None else int(1 / (rate * tick))
        self._delay = max((record.delay for record in records), default=0)
        lasting = [ticks for record in records for ticks in (record.ticks or (usual,) * record.frames)]
        self._shown = [0, *accumulate(lasting)]

    def shown(self, frame: int) -> int:
        """Return the presentation time of a frame, counted in display order."""
        return self._shown[frame]

    def decoded(self, packet: int) -> int:
        """Return the decoding time of a packet, counted in storage order."""
        place = packet - self._delay
        return self._shown[place] if place >= 0 else place * max(self._shown[1], 1)

    def lasts(self, frame: int) -> int:
        """Return the duration of a frame, counted in display order."""
        return self._shown[frame + 1] - self._shown[frame]


def _write(
    pipe: Pipe, pipe_format: str, mean: Fraction | None, chunks: Sequence[tuple[Path, Record]], stamps: TimeStamps
) -> None:
    options = {"movflags": PIPED} if pipe_format == "mov" else {}
    with av.open(pipe, "w", format=pipe_format, buffer_size=BUFFER, options=options) as joined:
        stream: VideoStream | None = None
        headers, base = None, 0
        for film, record in chunks:
            with av.open(f"file:{film}") as chunk:
                source = chunk.streams.video[0]
                if stream is None:
                    stream, headers = _stream_like(joined, source, stamps.tick, mean), source.codec_context.extradata
                elif source.codec_context.extradata != headers:
                    raise EncoderError(
                        f"{film.name} was encoded by another encoder than the chunks before it: remove the job's folder"
                        " and let machines with one version of ffmpeg work on it"
                    )
                order = _order(chunk, record)
                packets = (packet for packet in chunk.demux(source) if packet.size)
                for place, (packet, frame) in enumerate(zip(packets, order, strict=True)):
                    packet.stream, packet.time_base = stream, stamps.tick
                    packet.pts, packet.dts = stamps.shown(base + frame), stamps.decoded(base + place)
                    packet.duration = stamps.lasts(base + frame)
                    joined.mux(packet)
            base += record.frames


def _stream_like(joined: Any, source: VideoStream, tick: Fraction, mean: Fraction | None) -> VideoStream:
    """Add a stream with the codec, colour and size of a chunk's, and the time base and mean rate of the whole film."""
    stream: VideoStream = joined.add_stream_from_template(source, opaque=True)
    stream.time_base = tick
    if mean is not None:
        stream.codec_context.framerate = mean
    stream.codec_context.codec_tag = source.codec_context.codec_tag  # distinguishes profiles and pixel formats
    return stream


def _order(chunk: InputContainer, record: Record) -> Sequence[int]:
    """Return the display position of each frame of a chunk, in storage order.

    With reordering, the packets are read twice instead of kept: ten seconds of lossless video can be gigabytes.
    """
    if not record.delay:
        return range(record.frames)
    shown = [packet.pts or 0 for packet in chunk.demux(video=0) if packet.size]
    chunk.seek(0)
    ranks = {stamp: rank for rank, stamp in enumerate(sorted(shown))}
    return [ranks[stamp] for stamp in shown]
