"""What is published: the wheel holds what serving needs and no more, the source distribution what its tests need."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from .packages import build
from .support import ROOT

pytestmark = pytest.mark.slow

SCRIPT = """
from vs_interp import OpenVINO, TensorRT, super_slomo, upscale
import vapoursynth as vs

clip = super_slomo(vs.core.std.BlankClip(), factor=2, backend=OpenVINO(streams=2, precision="bf16"))
clip = upscale(clip, scale=2, backend="tensorrt:streams=2")
backend = TensorRT(device=1, streams="auto")
"""

WRONG = {
    "super_slomo(clip, factr=2)": 'Unexpected keyword argument "factr"',
    "super_slomo(clip, factor='2')": 'Argument "factor" to "super_slomo" has incompatible type "str"',
    "upscale(clip, scale=2.0)": 'Argument "scale" to "upscale" has incompatible type "float"',
    "upscale(clip, backend=OpenVINO)": 'Argument "backend" to "upscale" has incompatible type "type[OpenVINO]"',
    "OpenVINO(precision='int8')": 'Argument "precision" to "OpenVINO" has incompatible type',
    "TensorRT(stream=2)": 'Unexpected keyword argument "stream"',
}
"""What a user gets wrong → what mypy says to it."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("packages")
    return build("wheel", folder), build("sdist", folder)


@pytest.fixture(scope="module")
def installed(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of packages of an environment that has the wheel alone."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    folder = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(environment), "platbase": str(environment)}))
    with zipfile.ZipFile(packages[0]) as wheel:
        wheel.extractall(folder)
    return folder


def test_the_wheel_holds_two_packages_with_models_recipes_and_types(packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[0]) as wheel:
        names = set(wheel.namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"vs_interp", "trt_build"}
    assert {"vs_interp/py.typed", "trt_build/py.typed"} <= names
    places = {"recipes": "vs_interp/recipes", "filters": "vs_interp/filters"}
    for folder, inside in {**places, "vs_interp": "vs_interp", "trt_build": "trt_build"}.items():
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"{inside}/{file.relative_to(ROOT / folder).as_posix()}" in names


def test_the_source_distribution_holds_what_its_tests_need(packages: tuple[Path, Path]) -> None:
    with tarfile.open(packages[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("tests", "docs", "benchmarks", "examples", "recipes", "tools"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert file.relative_to(ROOT).as_posix() in names
    assert {"Makefile", "constraints.txt", "CHANGELOG.md", ".ci/run", "LICENSE"} <= names
    assert not any(name.endswith(".pyc") for name in names)


def test_a_users_script_is_type_checked_against_the_wheel(installed: Path, tmp_path: Path) -> None:
    """mypy takes the types of the installed packages, and sees a misspelt argument as an error."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "".join(f"{line}\n" for line in WRONG), encoding="utf-8")
    environment = next(parent for parent in installed.parents if (parent / "pyvenv.cfg").is_file())
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--ignore-missing-imports", str(script)]
    command += ["--python-executable", str(python), "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)
    first = len(SCRIPT.splitlines()) + 1
    for number, (line, words) in enumerate(WRONG.items(), first):
        said = f"script.py:{number}: error: {words}"
        assert any(said in found for found in done.stdout.splitlines()), f"{line}: {done.stdout}"
    assert done.stdout.count(": error: ") == len(WRONG), done.stdout


def test_the_wheel_works_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    """Its files come before the checkout's; this environment lends the libraries."""
    code = (
        f"import sys\nsys.path.insert(0, {str(installed)!r})\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]\n"
        "import trt_build, vs_interp, vs_interp.filters\n"
        "from vs_interp.weights.catalogue import catalogue\n"
        "print(vs_interp.filters.__file__, all(entry.here for entry in catalogue().values() if entry.bundled))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.stdout.split() == [str(installed / "vs_interp" / "filters" / "__init__.py"), "True"], done.stderr


def test_an_older_python_is_refused_by_the_metadata(packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[0]) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        text = wheel.read(metadata).decode()
    assert "Requires-Python: >=3.12" in text
    assert sysconfig.get_python_version() >= "3.12"
