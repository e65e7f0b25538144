"""Alpha is kept where the codec can, as ffmpeg reads it, through every step and through jobs; else that is said."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray

from tests.films.test_damage import Refusing
from tests.films.whole import convert
from tests.jobs.films import unheard
from tests.video import ffmpeg
from vs_interp.films import damage
from vs_interp.films.codecs import Choice
from vs_interp.films.excerpt import Excerpt
from vs_interp.films.ffmpeg import find_ffmpeg
from vs_interp.films.source import Reading, open_source
from vs_interp.jobs.chunk import ChunkFolder
from vs_interp.jobs.conversion import Conversion
from vs_interp.jobs.here import make_chunks
from vs_interp.jobs.join import join
from vs_interp.jobs.plan import plan
from vs_interp.jobs.steps import Interpolation, Upscaling

WIDTH, HEIGHT, FRAMES = 64, 48, 10
DISC = "255*clip(10.5-hypot(X-16-4*N,Y-24),0,1)"
"""A disc that moves to the right by four pixels a frame."""

MADE: dict[str, list[str]] = {
    "ffv1.mkv": ["-c:v", "ffv1", "-pix_fmt", "yuva420p"],
    "prores.mov": ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"],
    "qtrle.mov": ["-c:v", "qtrle"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-crf", "10", "-b:v", "0"],
    "vp8.webm": ["-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0", "-b:v", "1M"],
}


def make(folder: Path, name: str) -> Path:
    """Write a film with a disc that can be seen."""
    path = folder / name
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={WIDTH}x{HEIGHT}:r=25,format=gbrap,geq=r=p(X\\,Y):g=p(X\\,Y):b=p(X\\,Y):"
           f"a='{DISC}'", "-frames:v", str(FRAMES), *MADE[name], path)  # fmt: skip
    return path


def alpha(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> NDArray[Any]:
    """Return a film's alpha as ffmpeg reads it, in 0 … 255: VP8 and VP9 by libvpx, since libav's own leaves it out."""
    decoder = {"vp8": ["-c:v", "libvpx"], "vp9": ["-c:v", "libvpx-vp9"]}.get(path.stem[:3], [])
    read = subprocess.run(
        [find_ffmpeg(), "-v", "error", *decoder, "-i", path, "-vf", "alphaextract", "-pix_fmt", "gray", "-f",
         "rawvideo", "-"],
        check=True, capture_output=True,
    )  # fmt: skip
    return np.frombuffer(read.stdout, np.uint8).reshape(-1, size[1], size[0]).astype(np.int16)


def middle(plane: NDArray[Any]) -> float:
    """Return where the disc's middle lies, from the left."""
    return float((plane.sum(axis=0) * np.arange(plane.shape[1])).sum() / plane.sum())


@pytest.mark.parametrize("name", MADE)
def test_alpha_is_read_as_ffmpeg_does(tmp_path: Path, name: str) -> None:
    source, output = make(tmp_path, name), tmp_path / "out.mkv"
    convert(source, output, [], choice=Choice(codec="ffv1"))
    assert np.abs(alpha(output) - alpha(source)).max() <= 1
    assert open_source(source).notes == ()


@pytest.mark.parametrize(
    ("output", "codec", "worst"),
    [("vp9.mkv", "vp9", 40), ("vp9.webm", None, 40), ("out.mov", "prores", 4), ("out.mkv", "prores", 4),
     ("out.avi", "ffv1", 0)],
)  # fmt: skip
def test_alpha_is_written_where_the_codec_can(tmp_path: Path, output: str, codec: str | None, worst: int) -> None:
    (tmp_path / "in").mkdir()
    source, target = make(tmp_path / "in", "ffv1.mkv"), tmp_path / output
    convert(source, target, [], choice=Choice(codec=codec))
    assert np.abs(alpha(target) - alpha(source)).max() <= worst


@pytest.mark.parametrize(
    ("output", "choice", "encoder"),
    [("out.mp4", Choice(), "libx264 in mp4"), ("out.mkv", Choice(), "libx264 in matroska"),
     ("out.mp4", Choice(codec="vp9"), "libvpx-vp9 in mp4"), ("out.mkv", Choice(codec="h265"), "libx265 in matroska"),
     ("out.mov", Choice(codec="prores", preset="hq"), "prores_ks in mov")],
)  # fmt: skip
def test_alpha_that_is_lost_is_told_and_not_worked_on(
    tmp_path: Path, output: str, choice: Choice, encoder: str
) -> None:
    source = make(tmp_path, "ffv1.mkv")
    job = Conversion(source=source, output=tmp_path / output, steps=(Upscaling(scale=2),), choice=choice).open()
    (note,) = [note for note in job.notes if "alpha" in note]
    assert note.startswith(f"the picture's alpha is left out, {encoder} has none: --codec ffv1 or vp9 in .mkv")
    assert job.encoding.stream.alpha is None
    convert(source, tmp_path / output, [], choice=choice)


def test_alpha_moves_and_grows_with_the_picture(tmp_path: Path) -> None:
    source, output = make(tmp_path, "ffv1.mkv"), tmp_path / "out.mkv"
    steps = [Interpolation(network="super-slomo", factor=Fraction(2)).apply, Upscaling(scale=2).apply]
    convert(source, output, steps, choice=Choice(codec="ffv1"))
    before, after = alpha(source), alpha(output, (2 * WIDTH, 2 * HEIGHT))
    assert len(after) == 2 * FRAMES
    for number in range(FRAMES - 1):
        halfway = (middle(before[number]) + middle(before[number + 1])) / 2
        assert middle(after[2 * number + 1]) / 2 == pytest.approx(halfway + 0.25, abs=0.5)
    inside, outside = after[1][46:50, 34:38], after[1][:10]
    assert inside.min() > 245 and outside.max() < 10


def test_alpha_goes_through_a_job_in_chunks(tmp_path: Path) -> None:
    """Through a network once, which looks beyond a chunk's end; the other codecs show that they can be joined."""
    doubled = (Interpolation(network="super-slomo", factor=Fraction(2)),)
    for codec, name, made in (("ffv1", "out.mkv", doubled), ("vp9", "vp9.webm", ()), ("prores", "out.mov", ())):
        (tmp_path / codec).mkdir()
        conversion = Conversion(
            source=make(tmp_path, "ffv1.mkv"), output=tmp_path / codec / name, steps=made, choice=Choice(codec=codec)
        )
        job, chunks = conversion.open(), ChunkFolder(tmp_path / codec)
        manifest = plan(conversion, job, 0.1)
        records = dict(make_chunks(job, chunks, manifest.borders, range(len(manifest.chunks)), unheard))
        assert len(records) >= 3
        join(job, chunks, [records[number] for number in sorted(records)], conversion.output, overwrite=False)
        whole = tmp_path / f"{Path(name).stem}{codec}{Path(name).suffix}"
        steps = [step.apply for step in conversion.steps]
        convert(conversion.source, whole, steps, choice=conversion.choice)
        worst = np.abs(alpha(conversion.output) - alpha(whole)).max()
        assert worst <= {"ffv1": 0, "prores": 0, "vp9": 40}[codec], codec


def test_alpha_of_a_part_and_of_pictures(tmp_path: Path) -> None:
    source, output = make(tmp_path, "ffv1.mkv"), tmp_path / "out.mkv"
    convert(source, output, [], choice=Choice(codec="ffv1"), part=Excerpt(start=Fraction(1, 5), frames=3))
    assert np.array_equal(alpha(output), alpha(source)[5:8])
    (tmp_path / "frames").mkdir()
    ffmpeg("-i", source, tmp_path / "frames" / "%03d.png")
    convert(
        tmp_path / "frames", tmp_path / "rgb.mkv", [], choice=Choice(codec="ffv1"), reading=Reading(rate=Fraction(25))
    )
    assert np.array_equal(alpha(tmp_path / "rgb.mkv"), alpha(source))


def test_alpha_of_damaged_films_comes_from_libav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = damage._Guard.__init__

    def refusing(self: damage._Guard, clip: vs.VideoNode, *others: object, **more: object) -> None:
        guard(self, Refusing(clip, 2), *others, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(damage._Guard, "__init__", refusing)
    for name in ("ffv1.mkv", "qtrle.mov", "prores.mov"):
        source = make(tmp_path, name)
        convert(source, tmp_path / f"out-{name}.mkv", [], choice=Choice(codec="ffv1"))
        assert np.abs(alpha(tmp_path / f"out-{name}.mkv") - alpha(source)).max() <= 1
