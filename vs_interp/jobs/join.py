"""Join the chunks of a job: their packets with exact time stamps, then all else from the source."""

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
"""Containers that round times to milliseconds themselves, and say what colours are where a codec cannot."""

PIPED = "frag_keyframe+empty_moov+negative_cts_offsets"
"""How MOV is written into a pipe; the last part lets packets be decoded before the first frame's time."""


def join(
    job: OpenConversion,
    folder: ChunkFolder,
    records: Sequence[Record],
    output: Path,
    *,
    overwrite: bool,
) -> None:
    """Write ``output`` from the chunks in ``folder``, which appears only when it is whole.

    Raises :class:`EncoderError` with ffmpeg's own message, or where chunks do not belong together.
    """
    encoding = job.encoding
    pipe_format = _pipe_format(encoding.container, folder.film(0))
    with (
        finished_as(output, overwrite=overwrite) as unfinished,
        run_ffmpeg(encoding.join_command(pipe_format, unfinished)) as pipe,
    ):
        chunks = [(folder.film(number), record) for number, record in enumerate(records)]
        rate = None if encoding.stream.tick is not None else encoding.stream.clip.fps
        _write(pipe, pipe_format, chunks, TimeStamps(records, encoding.tick, rate))


def _pipe_format(container: str, film: Path) -> str:
    """Return in what the packets go through the pipe: with exact times, where the output keeps these.

    MOV keeps when packets are decoded, too.  NUT, which leaves that to its reader, knows more formats of bare pixels.
    """
    with av.open(str(film)) as chunk:
        codec = chunk.streams.video[0].codec_context.codec
    exact = ("nut", "mov") if codec.intra_only else ("mov", "nut")
    for name in ("matroska", *exact) if container in MILLISECONDS else exact:
        with av.open(os.devnull, "w", format=name) as able:
            if codec.canonical_name in able.supported_codecs:
                return name
    raise EncoderError(f"chunks of {codec.canonical_name} cannot be joined: use --whole, or another codec")


class TimeStamps:
    """When packets are decoded and shown, in ticks, by their place in the whole film.

    A decoder that reorders frames is ``delay`` packets ahead: each packet is decoded when the frame so many places
    before is shown, which never goes back and never comes after the packet's own frame.
    """

    def __init__(self, records: Sequence[Record], tick: Fraction, rate: Fraction | None) -> None:
        self.tick = tick
        usual = 1 if rate is None else int(1 / (rate * tick))
        self._delay = max((record.delay for record in records), default=0)
        lasting = [ticks for record in records for ticks in (record.ticks or (usual,) * record.frames)]
        self._shown = [0, *accumulate(lasting)]

    def shown(self, frame: int) -> int:
        """Return when a frame is shown, counted from the film's first."""
        return self._shown[frame]

    def decoded(self, packet: int) -> int:
        """Return when a packet is decoded, counted in the order in which packets are stored."""
        place = packet - self._delay
        return self._shown[place] if place >= 0 else place * max(self._shown[1], 1)

    def lasts(self, frame: int) -> int:
        """Return for how many ticks a frame is shown."""
        return self._shown[frame + 1] - self._shown[frame]


def _write(pipe: Pipe, pipe_format: str, chunks: Sequence[tuple[Path, Record]], stamps: TimeStamps) -> None:
    options = {"movflags": PIPED} if pipe_format == "mov" else {}
    with av.open(pipe, "w", format=pipe_format, buffer_size=BUFFER, options=options) as joined:
        stream: VideoStream | None = None
        headers, base = None, 0
        for film, record in chunks:
            with av.open(str(film)) as chunk:
                source = chunk.streams.video[0]
                if stream is None:
                    stream, headers = _stream_like(joined, source, stamps), source.codec_context.extradata
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


def _stream_like(joined: Any, source: VideoStream, stamps: TimeStamps) -> VideoStream:
    """Add a stream that says of codec, colour and shape what a chunk's says, and of time what is true of the whole."""
    stream: VideoStream = joined.add_stream_from_template(source, opaque=True)
    stream.time_base = stamps.tick
    stream.codec_context.codec_tag = source.codec_context.codec_tag  # tells profiles and formats of pixels apart
    return stream


def _order(chunk: InputContainer, record: Record) -> Sequence[int]:
    """Return the places at which a chunk's frames are shown, in the order in which their packets are stored.

    These are read twice where they differ, and not held: ten seconds without loss can be gigabytes.
    """
    if not record.delay:
        return range(record.frames)
    shown = [packet.pts or 0 for packet in chunk.demux(video=0) if packet.size]
    chunk.seek(0)
    ranks = {stamp: rank for rank, stamp in enumerate(sorted(shown))}
    return [ranks[stamp] for stamp in shown]
