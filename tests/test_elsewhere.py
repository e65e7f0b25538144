"""What serves, converts, fetches, trains and evaluates asks for nothing that Windows or macOS lack.

Their absence is simulated (``elsewhere.py``), not their presence: no test has been run on another system than Linux.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w

from vs_interp import host

from .command_line import refused, run
from .short_film import film_frames, write_video
from .support import ROOT
from .training_data import super_slomo_recipe
from .video import make_variable, make_video


def run_elsewhere(*commands: list[str], **environment: str) -> tuple[list[int], str]:
    """Return the exit codes of commands, and what they said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.elsewhere", json.dumps(commands)],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.slow
def test_videos_are_converted_and_measured(tmp_path: Path) -> None:
    """At a constant and at a variable rate, with encoder arguments, and evaluated."""
    constant, variable = make_video(tmp_path / "c.mp4", frames=5), make_variable(tmp_path / "v.mkv")
    interpolate = ["--interpolate", "super-slomo", "--factor", "2", "--quiet"]
    codes, said = run_elsewhere(
        ["convert", str(constant), str(tmp_path / "c2.mp4"), *interpolate],
        ["convert", str(variable), str(tmp_path / "v2.mkv"), *interpolate, "--encoder-args", "-c:v ffv1"],
        ["evaluate", "super-slomo-small", f"video:{constant}", "--limit", "1", "--quiet"],
    )
    assert codes == [0, 0, 0], said
    assert (tmp_path / "c2.mp4").stat().st_size and (tmp_path / "v2.mkv").stat().st_size


@pytest.mark.slow
def test_the_doctor_weights_and_benchmarks_work(tmp_path: Path) -> None:
    codes, said = run_elsewhere(
        ["doctor"],
        ["weights", "list"],
        ["weights", "verify"],
        ["engines", "list"],
        ["bench", "--size", "64x64", "--seconds", "0.1", "--backend", "openvino:threads=1"],
        ["build", "super-slomo-small", "--size", "64x64", "--runtime", "openvino"],
    )
    assert codes == [0] * 6, said


@pytest.mark.slow
def test_data_sets_are_made_and_networks_trained(tmp_path: Path, pictures: Path) -> None:
    film = write_video(tmp_path / "film.mkv", film_frames())
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(tomli_w.dumps(super_slomo_recipe(pictures, steps=2)), encoding="utf-8")
    codes, said = run_elsewhere(
        ["dataset", "make", str(film), "-o", str(tmp_path / "shards"), "--quiet"],
        ["train", str(recipe), "-o", str(tmp_path / "run"), "--device", "cpu", "--quiet"],
    )
    assert codes == [0, 0], said


@pytest.mark.slow
def test_the_command_line_speaks_ascii_where_it_must(tmp_path: Path) -> None:
    """LC_ALL=C without Python's own remedies: letters that cannot be written break nothing."""
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    codes, said = run_elsewhere(["weights", "list"], ["doctor"], ["weights", "get", "schön"], **plain)
    assert codes == [0, 0, 2]
    assert "no weights are called 'sch" in said


def test_a_home_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for cache in Path(os.devnull), tmp_path:
        monkeypatch.setenv("VS_INTERP_CACHE", str(cache))
        (tmp_path / "weights" / "span-x2.lock").mkdir(parents=True, exist_ok=True)  # in the way of the lock
        assert "set VS_INTERP_CACHE to one that can be written" in refused(capsys, run("weights", "get", "span-x2"))


def test_a_part_is_converted_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its chapters are handed to ffmpeg in a file."""
    monkeypatch.setenv("VS_INTERP_CACHE", os.devnull)
    film, output = make_video(tmp_path / "film.mp4", frames=5), tmp_path / "part.mp4"
    assert run("convert", film, output, "--scale", "2", "--frames", "3", "--quiet") == 0


@pytest.mark.parametrize(
    ("system", "words"),
    [("linux", ["-x265-params", "a=1:b=2", "C:grain.txt"]), ("win32", ["-x265-params", "a=1:b=2", "C:\\grain.txt"])],
)
def test_words_are_quoted_as_each_shell_does(monkeypatch: pytest.MonkeyPatch, system: str, words: list[str]) -> None:
    monkeypatch.setattr(host.sys, "platform", system)
    assert host.split_words('-x265-params "a=1:b=2" C:\\grain.txt') == words
    with pytest.raises(ValueError, match="quotation"):
        host.split_words('-metadata "title')


def test_what_a_system_does_not_say_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(Path, "read_text", lambda *arguments, **options: (_ for _ in ()).throw(FileNotFoundError))
    assert host.cores() == os.cpu_count()
    assert host.free_memory() is host.peak_memory() is None
    assert host.processor()
