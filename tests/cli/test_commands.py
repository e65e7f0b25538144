"""The command line as a person meets it: its help, what the doctor finds, what an export refuses, the demo."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import click
import pytest

from tests.command_line import COMMAND, refused, run
from tests.support import names
from tests.video import make_video, time_stamps
from vs_interp.cli import demo
from vs_interp.cli.demo import write_png
from vs_interp.cli.main import COMMANDS, group
from vs_interp.errors import ArgumentError


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom vs_interp.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'torch', 'vapoursynth', 'onnx', 'openvino', 'av', 'numpy'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "set()"
    assert all(f"\n  {name} " in shown for name in COMMANDS)


def every_command(start: click.Command = group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Give what is typed for each command, and the command; not the groups."""
    if not isinstance(start, click.Group):
        yield " ".join(path), start
        return
    context = click.Context(start)
    for name in start.list_commands(context):
        command = start.get_command(context, name)
        assert command is not None
        yield from every_command(command, (*path, name))


@pytest.mark.parametrize("name", [name for name, _ in every_command() if " " not in name])
def test_every_command_has_help_with_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(name, "--help") == 0
    assert f"vs-interp {name} " in capsys.readouterr().out.partition("Example")[2]


def test_help_states_the_defaults_of_filters(capsys: pytest.CaptureFixture[str]) -> None:
    from vs_interp.filters.repeats import LIMIT
    from vs_interp.filters.scenes import DEFAULT_THRESHOLD
    from vs_interp.filters.timeline import HOLD

    assert run("convert", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    for option, default in (("--scene-threshold", DEFAULT_THRESHOLD), ("--hold", HOLD), ("--repeat-limit", LIMIT)):
        assert f"[default: {default}]" in shown.partition(f" {option} ")[2].partition("]")[0] + "]"


WITHOUT_RESULT = ("worker", "jobs remove")


@pytest.mark.parametrize(("name", "command"), list(every_command()))
def test_every_command_with_a_result_prints_it_as_json(name: str, command: click.Command) -> None:
    assert name in WITHOUT_RESULT or any("--json" in option.opts for option in command.params), name


def test_doctor_tells_versions_and_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("doctor", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    found = {(finding["topic"], finding["name"]): finding["found"] for finding in report["findings"]}
    assert found["package", "python"] == sys.version.split()[0]
    assert found["backend", "openvino"] == "works: it made a picture (CPU, without bfloat16)"  # as tests see it
    assert report["able"]
    monkeypatch.setenv("VS_INTERP_FFMPEG", "false")
    assert run("doctor") == 1
    assert "VS_INTERP_FFMPEG" in capsys.readouterr().out


def test_doctor_does_not_import_torch() -> None:
    code = "import sys\nfrom vs_interp.cli.doctor import examine\nexamine()\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_export_without_torch_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    told = refused(capsys, run("export", tmp_path / "weights.ckpt", "-o", tmp_path / "model.onnx"))
    assert '"torch>=' in told


def test_export_never_replaces_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model.onnx"
    model.write_text("mine")
    assert "--overwrite" in refused(capsys, run("export", tmp_path / "weights.ckpt", "-o", model))
    assert model.read_text() == "mine"


def test_export_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "weights.ckpt"
    words.write_text("words")
    assert "is not a PyTorch checkpoint" in refused(capsys, run("export", words, "-o", tmp_path / "model.onnx"))


def test_export_of_a_name_says_what_makes_its_model_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`vs-interp weights get rife-4.25` makes its model file" in refused(capsys, run("export", "rife-4.25"))


def test_what_the_system_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = tmp_path / f"{'x' * 300}.onnx"
    assert f"{long}: " in refused(capsys, run("export", "super-slomo-small", "--for", "vs-mlrt", "-o", long))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is simulated by /dev/full")
@pytest.mark.parametrize("words", [["weights", "list"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (2, f"vs-interp: {os.strerror(errno.ENOSPC)}\n")


@pytest.mark.parametrize("words", [["bench", "--report"], ["evaluate", "span-x2", "film.mkv", "--page"]])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist: make it first" in refused(capsys, run(*words, tmp_path / "nowhere" / "result"))
    assert "exists: remove it, or name another file" in refused(capsys, run(*words, tmp_path))


def test_pictures_are_written_bit_exact(tmp_path: Path) -> None:
    import numpy as np
    import vapoursynth as vs

    frame = vs.core.std.BlankClip(format=vs.RGB24, width=33, height=7, color=[255, 128, 3]).get_frame(0)
    write_png(frame, tmp_path / "a.png")
    with av.open(str(tmp_path / "a.png")) as container:
        read = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(read, np.broadcast_to([255, 128, 3], (7, 33, 3)))


def test_a_demo_that_fails_leaves_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk; a folder that was there before stays, and so does what is in it."""

    def fails(*args: Any, **options: Any) -> None:
        raise ArgumentError("the disk is full")

    monkeypatch.setattr("vs_interp.cli.running.convert", fails)
    (tmp_path / "mine").mkdir()
    for name in ("new", "mine"):
        assert run("demo", "--output", tmp_path / name) == 2
    assert names(tmp_path) == ["mine"]


@pytest.mark.slow
def test_the_demo_leaves_a_video_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a film of nine frames in place of its own clip, which ``make smoke`` has."""
    monkeypatch.setattr(demo, "CLIP", make_video(tmp_path / "film.mp4", rate="24", frames=9, size="320x240"))
    monkeypatch.setattr(demo, "PAIRS", (0, 3, 7))
    assert run("demo", "--output", tmp_path / "demo", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["frames"], result["picture"]) == (18, str(tmp_path / "demo" / "frames.png"))
    assert time_stamps(tmp_path / "demo" / "bbb_2x.mp4") == [Fraction(n, 48) for n in range(18)]
    assert (tmp_path / "demo" / "frames.png").read_bytes().startswith(b"\x89PNG")
