"""Engines are built for a film's format, and ``engines which`` says what each of them lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

from tests.cli.carrying.engines import RTX, ask, needs_rtx, run
from tests.video import ffmpeg
from trt_build.engines.cache import EngineCache
from vs_interp.errors import ArgumentError


@needs_rtx
def test_like_takes_all_of_a_films_format(made: Path) -> None:
    for entry in EngineCache(made).entries():
        assert entry.key is not None
        profile = entry.key.profile
        assert (profile.width, profile.height, profile.planes.name) == (128, 64, "YUV420P10")
        assert (profile.planes.matrix, profile.planes.full_range, profile.planes.siting) == ("2020", True, "top_left")


@pytest.mark.parametrize(
    "option", [("--size", "64x64"), ("--format", "YUV420P8"), ("--matrix", "709"), ("--full-range",)]
)
def test_what_like_says_is_not_said_twice(option: tuple[str, ...], film: Path) -> None:
    with pytest.raises(ArgumentError, match=f"--like and {option[0]} are both given"):
        run("build", "fsrcnn-x2", "--like", film, *option, *RTX)


@needs_rtx
def test_which_says_what_each_engine_lacks(film: Path, made: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=0.2", "-pix_fmt", "yuv420p", "-c:v", "libx264", other)

    def asked(clip: Path, *more: str) -> Result:
        return ask("engines", "which", clip, "fsrcnn-x2", "--folder", made, "--quiet", *more)

    fits = asked(film, "--gpu", "ada")
    assert fits.exit_code == 0 and "to be verified on it at the first use" in fits.stdout.splitlines()[0]
    assert fits.stdout.splitlines()[1].endswith(": of other weights of fsrcnn")
    differs = asked(other, "--gpu", "sm_86")
    assert differs.exit_code == 1
    first, nearest, farthest = differs.stdout.splitlines()
    assert first == (
        "96x64 YUV420P8 (BT.601, left, limited range) on sm_86: there is no engine of tensorrt-rtx yet, the"
        " first use will build one"
    )
    assert nearest.endswith(
        ": for 128x64, not 96x64; for YUV420P10, not YUV420P8; for BT.2020, not BT.601; for full range, not limited;"
        " for chroma top_left, not left; for sm_89, not sm_86"
    )
    assert ": of other weights of fsrcnn; for 128x64" in farthest
    options = asked(film, "--gpu", "ada", "--backend", "tensorrt-rtx:optimization=5,streams=1")
    assert options.stdout.splitlines()[1].endswith(
        ": built with optimization 3, not 5; built with auxiliary streams off, not on"
    )


@needs_rtx
def test_which_says_that_an_engine_of_a_range_would_do(film: Path, tmp_path: Path) -> None:
    run("build", "fsrcnn-x2", "--like", film, "--dynamic", "64x64", "128x64", "256x128", "-o", tmp_path, *RTX)
    asked = ("engines", "which", film, "fsrcnn-x2", "--gpu", "ada", "--folder", tmp_path, "--quiet")
    alone = ask(*asked)
    text = "tensorrt-rtx:dynamic=64x64+128x64+256x128"
    assert alone.exit_code == 1 and f"for a range of sizes, which {text} serves" in alone.stdout
    assert ask(*asked, "--backend", text).exit_code == 0


@needs_rtx
def test_which_without_a_model_means_the_bundled_one(film: Path, tmp_path: Path) -> None:
    answer = ask("engines", "which", film, "--gpu", "ada", "--folder", tmp_path, "--quiet")
    assert answer.exit_code == 1 and "there is no engine of tensorrt-rtx yet" in answer.stdout


def test_which_where_no_engine_would_serve(film: Path) -> None:
    with pytest.raises(ArgumentError, match="openvino would be used here, which has no engines"):
        run("engines", "which", film, "fsrcnn-x2", "--backend", "openvino", "--quiet")
