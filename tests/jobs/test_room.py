"""The room that a job needs is said before its first chunk, and it stops before a disk is full."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import vapoursynth as vs

from tests.video import ffmpeg
from vs_interp.errors import EncoderError
from vs_interp.films.codecs import Choice
from vs_interp.films.source import Reading
from vs_interp.jobs.chunk import ChunkFolder, Record
from vs_interp.jobs.conversion import Conversion
from vs_interp.jobs.here import make_chunks
from vs_interp.jobs.plan import Manifest, plan
from vs_interp.jobs.room import check, guess, space_line
from vs_interp.jobs.steps import Upscaling

from .films import enlargement, make_film, unheard

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("codec", ["ffv1", "h264", "h265"])
def test_the_guess_is_near_what_the_chunks_become(tmp_path: Path, codec: str) -> None:
    conversion = enlargement(make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv", codec)
    job = conversion.open()
    manifest = plan(conversion, job, 1)
    expected = guess(job, manifest)
    made = make_chunks(job, ChunkFolder(tmp_path), manifest.borders, range(4), unheard)
    written = sum(record.bytes for _, record in made)
    assert expected is not None and written / 2 < expected < written * 2


def test_the_guess_for_pictures_counts_their_alpha(tmp_path: Path) -> None:
    """Noise is its alpha, plain grey all else."""
    (tmp_path / "in").mkdir()
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x48:r=25:d=1,format=rgba,geq=128:128:128:a='random(1)*255'",
           tmp_path / "in" / "%02d.png")  # fmt: skip
    conversion = replace(
        enlargement(tmp_path / "in", tmp_path / "out.mov"),
        choice=Choice(codec="prores"),
        reading=Reading(rate=Fraction(25)),
    )
    job = conversion.open()
    manifest = plan(conversion, job, 0.5)
    expected = guess(job, manifest)
    made = make_chunks(job, ChunkFolder(tmp_path), manifest.borders, range(len(manifest.chunks)), unheard)
    written = sum(record.bytes for _, record in made)
    assert expected is not None and written / 2 < expected < written * 2


def test_the_guess_reads_by_a_decoder_of_its_own(tmp_path: Path) -> None:
    """Read out of order, the job's own would keep every frame from then on: gigabytes of a long film."""
    conversion = enlargement(make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv")
    job = conversion.open()
    asked: list[int] = []

    def asking(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        asked.append(n)
        return f

    clip = job.source.stream.clip
    source = replace(job.source, stream=replace(job.source.stream, clip=clip.std.ModifyFrame(clip, asking)))
    assert guess(replace(job, source=source), plan(conversion, job, 1)) is not None
    assert not asked


def job_of(tmp_path: Path) -> Manifest:
    """Return a job of ten chunks of ten frames, whose film need not be there."""
    step = Upscaling(scale=2, model="fsrcnn-x2")
    conversion = Conversion(source=tmp_path / "in", output=tmp_path / "out.mkv", steps=(step,), choice=Choice())
    return Manifest(conversion=conversion, identity={}, borders=tuple(range(0, 101, 10)))


def test_a_job_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chunks of 10 MB are there: eight more and a film of 100 MB are 180, and a tenth to spare."""
    manifest = job_of(tmp_path)
    records = [Record(frames=10, ticks=(), delay=0, bytes=10_000_000, sha256="", seconds=1, maker="")] * 2
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 199_000_000))
    check(tmp_path, manifest, records)
    check(tmp_path, manifest, [])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 197_000_000))
    with pytest.raises(EncoderError, match=r"has 197 MB free, and about 198 MB more are needed .* --job"):
        check(tmp_path, manifest, records)


def test_the_line_says_what_is_needed_and_what_may_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 2_000_000_000))
    said = space_line(tmp_path, tmp_path / "out.mkv", 900_000_000)
    assert said == f"about 990 MB of chunks in {tmp_path}, joined into a film of the same size"
    assert space_line(tmp_path, tmp_path / "out.mkv", 2_000_000_000).endswith(
        f"may not fit: {tmp_path} has 2.0 GB free"
    )
