"""The disk space that a job needs: estimated before its first chunk, then extrapolated from the finished chunks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import vapoursynth as vs

from vs_interp.errors import EncoderError, VsInterpError
from vs_interp.films.alpha import with_alpha
from vs_interp.films.pixels import converted
from vs_interp.films.render import FrameWriter, run_ffmpeg

from .chunk import CONTAINER, Record
from .conversion import OpenConversion
from .plan import Manifest

SPARE = 1.1
"""Free space that is required, as a multiple of the expected size."""

SAMPLES, SAMPLED = 3, 8
"""How many places of the film are sampled, and how many consecutive source frames at each."""


@dataclass(frozen=True)
class Need:
    """Bytes that a job still needs: for ``chunks`` in its own folder, and for the joined ``film`` in the output's."""

    chunks: int
    film: int

    def lacking(self, folder: Path, output: Path) -> list[tuple[Path, int, int]]:
        """Return each folder whose disk has too little space, with the bytes needed and free there."""
        needs = {folder: self.chunks, output.absolute().parent: self.film}
        if len({path.stat().st_dev for path in needs}) == 1:
            needs = {folder: self.chunks + self.film}
        free = {path: shutil.disk_usage(path).free for path in needs}
        return [(path, bytes_, free[path]) for path, bytes_ in needs.items() if bytes_ > free[path]]


def guess(job: OpenConversion, manifest: Manifest) -> int | None:
    """Return the approximate size of all chunks in bytes; ``None`` if it cannot be estimated.

    A few frames of the source, enlarged by plain interpolation, are encoded as the output's will be.  They come from a
    decoder of their own: once the job's has been read out of order, VapourSynth keeps all of its frames.
    """
    clip = job.clip
    chunks, frames = len(manifest.chunks), manifest.borders[-1]
    sizes: list[tuple[int, float]] = []
    try:
        source = job.conversion.open_source().stream
        enlarged = converted(source.clip.resize.Bicubic(clip.width, clip.height), clip.format)
        if job.encoding.alpha and source.alpha is not None:
            enlarged = with_alpha(enlarged, source.alpha.resize.Bicubic(clip.width, clip.height))
        for place in range(SAMPLES):
            begin = min(len(enlarged) * (2 * place + 1) // (2 * SAMPLES), max(len(enlarged) - SAMPLED, 0))
            sizes.append(_encoded(job, enlarged[begin : begin + SAMPLED]))
    except (vs.Error, VsInterpError, OSError, av.FFmpegError):
        return None  # the conversion itself will report the error
    key = sum(first for first, _ in sizes) / SAMPLES
    other = sum(rest for _, rest in sizes) / SAMPLES
    return round(chunks * key + (frames - chunks) * other)


def _encoded(job: OpenConversion, part: vs.VideoNode) -> tuple[int, float]:
    """Encode a part and return the bytes of its first frame, a key frame, and the mean of the others."""
    encoding = replace(job.encoding, stream=replace(job.encoding.stream, clip=part))
    with tempfile.TemporaryDirectory(prefix="vs-interp-") as folder:
        film = Path(folder) / "sample.mkv"
        with run_ffmpeg(encoding.chunk_command(job.first, film, CONTAINER)) as pipe:
            writer = FrameWriter(pipe, encoding)
            for frame in part.frames(close=True):
                writer.write(frame)
            writer.close()
        with av.open(f"file:{film}") as container:
            sizes = [packet.size for packet in container.demux(video=0) if packet.size]
    return sizes[0], sum(sizes[1:]) / max(len(sizes) - 1, 1)


def needed(whole: int, written: int) -> Need:
    """Return the space needed by a job whose chunks will take ``whole`` bytes, of which ``written`` are on the disk."""
    return Need(round(SPARE * (whole - written)), round(SPARE * whole))


def check(folder: Path, manifest: Manifest, records: Iterable[Record]) -> None:
    """Raise :class:`EncoderError` if a disk lacks space for the rest of the job, judged by its finished chunks."""
    finished = list(records)
    frames, written = sum(record.frames for record in finished), sum(record.bytes for record in finished)
    if not frames:
        return
    need = needed(written * manifest.borders[-1] // frames, written)
    for path, bytes_, free in need.lacking(folder, manifest.conversion.output):
        raise EncoderError(
            f"the disk of {path} has {_size(free)} free, and about {_size(bytes_)} more are needed for the chunks and "
            "the film that they become: make room and run the command again, put the chunks elsewhere with --job, or "
            "use --whole"
        )


def space_line(folder: Path, output: Path, whole: int) -> str:
    """Return a line for the user on the space that a job with ``whole`` bytes of chunks needs, and what is lacking."""
    need = needed(whole, 0)
    line = f"about {_size(need.chunks)} of chunks in {folder}, joined into a film of the same size"
    short = [f"{path} has {_size(free)} free" for path, _, free in need.lacking(folder, output)]
    return f"{line}; that may not fit: {', '.join(short)}" if short else line


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
