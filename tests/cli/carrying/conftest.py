"""A film, the engines built for it, and the cache of another machine; engines are real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.carrying.engines import RTX, own_model, run
from tests.video import ffmpeg


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten bits, full range, BT.2020, chroma at the top left: nothing is as it is by default."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x64:r=24:d=0.2", "-pix_fmt", "yuv420p10le", "-c:v", "libx265",
           "-x265-params", "log-level=none:range=full:colormatrix=bt2020nc:chromaloc=2",
           "-colorspace", "bt2020nc", "-color_range", "pc", path)  # fmt: skip
    return path


@pytest.fixture(scope="session")
def made(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the machine that builds: an engine of bundled weights, and one of its own model."""
    folder = tmp_path_factory.mktemp("made")
    for model in ("fsrcnn-x2", str(own_model(folder / "mine.onnx"))):
        run("build", model, "--like", film, "-o", folder, *RTX)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the machine that serves."""
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"
