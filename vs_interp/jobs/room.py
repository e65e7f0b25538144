"""How much room a job needs on the disk: guessed before its first chunk, then worked out from those that are there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import vapoursynth as vs

from vs_interp.errors import EncoderError, VsInterpError
from vs_interp.films.render import FrameWriter, run_ffmpeg

from .chunk import CONTAINER, Record
from .conversion import OpenConversion
from .plan import Manifest

SPARE = 1.1
"""How many times the bytes that are expected must be free."""

SAMPLES, SAMPLED = 3, 8
"""So many places of the film are tried, and so many frames of its source at each."""


@dataclass(frozen=True)
class Need:
    """Bytes that a job still needs in its own folder, and in that of its output."""

    chunks: int
    film: int

    def lacking(self, folder: Path, output: Path) -> list[tuple[Path, int, int]]:
        """Return each folder whose disk has less, with what is needed and what is free there."""
        needs = {folder: self.chunks, output.absolute().parent: self.film}
        if len({path.stat().st_dev for path in needs}) == 1:
            needs = {folder: self.chunks + self.film}
        free = {path: shutil.disk_usage(path).free for path in needs}
        return [(path, bytes_, free[path]) for path, bytes_ in needs.items() if bytes_ > free[path]]


def guess(job: OpenConversion, manifest: Manifest) -> int | None:
    """Return about how many bytes all chunks will have; ``None`` where that cannot be told.

    A few frames of the source, enlarged by plain interpolation, are encoded as the output's will be.  They come from a
    decoder of their own: once the job's has been read out of order, VapourSynth keeps all of its frames.
    """
    clip = job.clip
    chunks, frames = len(manifest.chunks), manifest.borders[-1]
    sizes: list[tuple[int, float]] = []
    try:
        source = job.conversion.open_source().stream.clip
        for place in range(SAMPLES):
            begin = min(len(source) * (2 * place + 1) // (2 * SAMPLES), max(len(source) - SAMPLED, 0))
            part = source[begin : begin + SAMPLED].resize.Bicubic(clip.width, clip.height, clip.format.id)
            sizes.append(_encoded(job, part))
    except (vs.Error, VsInterpError, OSError, av.FFmpegError):
        return None  # the conversion itself will tell what is wrong
    key = sum(first for first, _ in sizes) / SAMPLES
    other = sum(rest for _, rest in sizes) / SAMPLES
    return round(chunks * key + (frames - chunks) * other)


def _encoded(job: OpenConversion, part: vs.VideoNode) -> tuple[int, float]:
    """Return the bytes of a part's first frame, and of each other in the mean."""
    encoding = replace(job.encoding, stream=replace(job.encoding.stream, clip=part))
    with tempfile.TemporaryDirectory(prefix="vs-interp-") as folder:
        film = Path(folder) / "sample.mkv"
        with run_ffmpeg(encoding.chunk_command(job.first, film, CONTAINER)) as pipe:
            writer = FrameWriter(pipe, encoding)
            for frame in part.frames(close=True):
                writer.write(frame)
            writer.close()
        with av.open(str(film)) as container:
            sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    return sizes[0], sum(sizes[1:]) / max(len(sizes) - 1, 1)


def needed(whole: int, written: int) -> Need:
    """Return what a job needs whose chunks have ``whole`` bytes in all, of which ``written`` are there."""
    return Need(round(SPARE * (whole - written)), round(SPARE * whole))


def check(folder: Path, manifest: Manifest, records: Iterable[Record]) -> None:
    """Raise :class:`EncoderError` where a disk cannot hold what is to come, by the chunks that are there."""
    there = list(records)
    frames, written = sum(record.frames for record in there), sum(record.bytes for record in there)
    if not frames:
        return
    need = needed(written * manifest.borders[-1] // frames, written)
    for path, bytes_, free in need.lacking(folder, manifest.conversion.output):
        raise EncoderError(
            f"the disk of {path} has {_size(free)} free, and about {_size(bytes_)} more are needed for the chunks and "
            "the film that they become: make room and run the command again, put the chunks elsewhere with --job, or "
            "use --whole"
        )


def told(folder: Path, output: Path, whole: int) -> str:
    """Return a line on the room that a job will need whose chunks have so many bytes in all."""
    need = needed(whole, 0)
    line = f"about {_size(need.chunks)} of chunks in {folder}, joined into a film of as much"
    short = [f"{path} has {_size(free)} free" for path, _, free in need.lacking(folder, output)]
    return f"{line}; that may not fit: {', '.join(short)}" if short else line


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
