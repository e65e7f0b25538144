"""Models that came with engines: where they are put, and by which name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.carrying.engines import BUNDLED, own_model
from trt_build.model_file import ModelFile
from vs_interp.errors import ArgumentError, DownloadError
from vs_interp.weights import carried
from vs_interp.weights.catalogue import catalogue
from vs_interp.weights.skeletons import weights_digest


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the machine that they came to."""
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def test_a_name_of_the_catalogue_is_for_its_weights_alone(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are refused under it; those go where filters find them by that name."""
    path = own_model(tmp_path / "rife-4.25.onnx")
    model, content = ModelFile.load(path), path.read_bytes()
    with pytest.raises(DownloadError, match=r"is not rife-4\.25: its weights differ"):
        carried.put_in_place("rife-4.25.onnx", model, content)
    entry = replace(catalogue()["rife-4.25"], network="fsrcnn", weights=weights_digest(model.graph))
    monkeypatch.setattr(carried, "catalogue", lambda: {"rife-4.25": entry})
    assert not carried.is_here(model.identity, "fsrcnn")
    assert carried.put_in_place("rife-4.25.onnx", model, content) == elsewhere / "weights" / "rife-4.25.onnx"
    assert carried.weights_of(model.identity, "fsrcnn") == entry


def test_another_model_of_that_name_stays(elsewhere: Path, tmp_path: Path) -> None:
    path = own_model(tmp_path / "mine.onnx")
    place = carried.put_in_place("mine.onnx", ModelFile.load(path), path.read_bytes())
    assert carried.put_in_place("mine.onnx", ModelFile.load(path), path.read_bytes()) == place
    with pytest.raises(ArgumentError, match="is another model than the imported one"):
        carried.put_in_place("mine.onnx", ModelFile.load(BUNDLED), BUNDLED.read_bytes())
