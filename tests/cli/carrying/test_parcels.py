"""Engines of one machine on another: exported, imported, and found there."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.carrying.engines import ask, needs_rtx, run
from trt_build.engines.cache import EngineCache
from trt_build.engines.carry import SUMS
from vs_interp.errors import ArgumentError


@needs_rtx
@pytest.mark.parametrize("target", ["engines.zip", "engines"])
def test_what_is_exported_is_found_where_it_is_imported(target: str, film: Path, made: Path, elsewhere: Path) -> None:
    """Engines, scores and the model that is no catalogue's; its own list fits by sha256sum's reading, too."""
    parcel = elsewhere.parent / target
    report = json.loads(run("engines", "export", parcel, "--folder", made, "--model", made / "mine.onnx", "--json"))
    assert len(report["engines"]) == 2 and report["models"] == ["mine.onnx"]
    if parcel.is_dir():
        assert len((parcel / SUMS).read_text().splitlines()) == 5
        for line in (parcel / SUMS).read_text().splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((parcel / name).read_bytes()).hexdigest() == digest
    taken = json.loads(run("engines", "import", parcel, "--json"))
    assert [row["state"] for row in taken[:2]] == ["imported"] * 2 and all(row["fault"] is None for row in taken)
    model = elsewhere / "models" / "mine.onnx"
    assert model.read_bytes() == (made / "mine.onnx").read_bytes()
    here, there = (
        {entry.digest: entry for entry in EngineCache(folder).entries()} for folder in (elsewhere / "engines", made)
    )
    assert here.keys() == there.keys()
    for digest, entry in here.items():
        assert entry.about == there[digest].about and entry.path.read_bytes() == there[digest].path.read_bytes()
    for name in ("fsrcnn-x2", model):
        answer = ask("engines", "which", film, name, "--gpu", "RTX 4070", "--json", "--quiet")
        assert answer.exit_code == 0
        assert json.loads(answer.stdout)["engine"] in here
    again = json.loads(run("engines", "import", parcel, "--json"))
    assert [row["state"] for row in again[:2]] == ["was here already"] * 2


@needs_rtx
def test_a_model_that_is_not_here_by_name_must_be_given(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"weights of fsrcnn .* are not here: give --model FILE"):
        run("engines", "export", tmp_path / "engines.zip", "--folder", made)
    assert list(tmp_path.iterdir()) == []


@needs_rtx
def test_nothing_of_the_users_is_overwritten(made: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "engines.zip", tmp_path / "full" / "file"):
        target.parent.mkdir(exist_ok=True)
        target.write_text("mine")
    for target in (tmp_path / "engines.zip", tmp_path / "full"):
        with pytest.raises(ArgumentError, match="exists: name another"):
            run("engines", "export", target, "--folder", made, "--model", made / "mine.onnx")
    assert (tmp_path / "engines.zip").read_text() == "mine"


@needs_rtx
def test_sha256sum_reads_the_list(made: Path, tmp_path: Path) -> None:
    parcel = tmp_path / "parcel"
    run("engines", "export", parcel, "--folder", made, "--model", made / "mine.onnx")
    try:
        done = subprocess.run(["sha256sum", "-c", SUMS], cwd=parcel, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no sha256sum here")
    assert done.returncode == 0 and done.stdout.count(": OK") == 5
