"""What an import loads, in a fresh interpreter: scripts start fast, and nothing drags in what it does not need."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import vs_interp

from .support import ROOT

HEAVY = ("torch", "vapoursynth", "openvino", "onnx", "tensorrt", "tensorrt_rtx", "cuda", "scipy")


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    # A list of the names first: the table grows when a thread or the garbage collector imports while it is walked.
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in list(sys.modules)}}))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.split())


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert not loaded("import vs_interp") & set(HEAVY)


@pytest.mark.parametrize("module", ["vs_interp.filters", "trt_build.model_file", "trt_build.backends.openvino"])
def test_serving_never_loads_torch(module: str) -> None:
    assert "torch" not in loaded(f"import {module}")


@pytest.mark.parametrize("module", ["trt_build.model_file", "trt_build.backends", "vs_interp.weights.checkpoint"])
def test_only_the_filters_load_vapoursynth(module: str) -> None:
    assert "vapoursynth" not in loaded(f"import {module}")


@pytest.mark.parametrize("folder", ["vs_interp", "trt_build"])
def test_the_rooms_import_in_one_direction(folder: str) -> None:
    """vs_interp <- trt_build <- filters; only the command line, which is a face, may look at all of them."""
    forbidden = {"vs_interp": r"(trt_build|vs_interp\.filters)", "trt_build": r"vs_interp\.filters"}[folder]
    for file in (ROOT / folder).rglob("*.py"):
        if "cli" in file.relative_to(ROOT).parts:
            continue
        hits = re.findall(rf"^\s*(?:from|import) {forbidden}\b.*$", file.read_text(), re.MULTILINE)
        assert not hits, f"{file}: {hits}"


@pytest.mark.parametrize("package", ["torch", "vapoursynth"])
def test_heavy_packages_are_imported_where_the_contributors_guide_says(package: str) -> None:
    """The command line may import both, inside functions: ``--help`` is quick, as test_cli.py sees to."""
    allowed = {
        "torch": ["vs_interp/networks/", "vs_interp/training/", "vs_interp/weights/checkpoint.py", "vs_interp/weights/ncnn.py",
                  "trt_build/pytorch/export.py", "trt_build/pytorch/front_end.py", "trt_build/pytorch/parts.py"],
        "vapoursynth": ["filters/"],
    }[package]  # fmt: skip
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    assert all(place.removeprefix("vs_interp/").removeprefix("trt_build/") in guide for place in allowed)
    for folder in ("vs_interp", "trt_build", "filters"):
        for file in (ROOT / folder).rglob("*.py"):
            place = file.relative_to(ROOT).as_posix()
            if place.startswith(("vs_interp/cli/", *allowed)):
                continue
            assert not re.search(rf"^\s*(?:from|import) {package}\b", file.read_text(), re.MULTILINE), place


def test_the_public_names_are_there() -> None:
    for name in vs_interp.__all__:
        assert getattr(vs_interp, name) is not None


def test_the_version_is_one_and_the_changelog_knows_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == vs_interp.__version__
    assert f"## {vs_interp.__version__}" in Path(ROOT / "CHANGELOG.md").read_text()
