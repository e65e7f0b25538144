"""``vs-interp dataset`` as a person meets it: what it makes, what it says, its exit codes, and what it leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import COMMAND, refused, run
from tests.video import make_video
from vs_interp.datasets.readers import open_footage


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("film") / "film.mp4", frames=9)


@pytest.fixture
def made(tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run("dataset", "make", film, "-o", tmp_path / "made", "--quiet") == 0
    assert f"{tmp_path / 'made'}: 9 frames in 1 sequence, 0 MB" in capsys.readouterr().out
    return tmp_path / "made"


def test_made_data_is_good_and_shown(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dataset", "check", made, "--quiet") == 0
    assert capsys.readouterr() == (f"{made}: 9 frames are good\n", "")
    assert run("dataset", "show", made) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "9 frames in 1 sequence of 9 frames",
        "96x64 (the first sequence)",
        "7 windows for interpolation over 2 frames",
        "5 windows for interpolation over 4 frames",
    ]


def test_several_videos_are_shrunk_and_summed_up_as_json(
    tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = shutil.copy(film, tmp_path / "again.mp4")
    assert run("dataset", "make", film, again, "-o", tmp_path / "made", "--height", "32", "--json", "--quiet") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["sequences"], summary["frames"], len(summary["videos"])) == (2, 18, 2)
    assert summary["videos"][0]["name"] == "film.mp4"
    assert summary["bytes"] == sum(path.stat().st_size for path in (tmp_path / "made").iterdir())
    assert open_footage(f"shards:{tmp_path / 'made'}").frame_size(1) == (48, 32)
    assert run("dataset", "show", tmp_path / "made", "--json") == 0
    assert json.loads(capsys.readouterr().out)["windows"] == {"2": 14, "4": 10}


def test_damage_is_listed_and_ends_with_2(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = made / "00000.yuv"
    content = bytearray(shard.read_bytes())
    content[5 * 96 * 64 * 3 // 2] ^= 128
    shard.write_bytes(content)
    assert run("dataset", "check", made, "--quiet") == 2
    problem, summary = capsys.readouterr().out.splitlines()
    assert problem.startswith(f"{shard}, frame 5 ")
    assert summary == f"{made}: 1 of 9 frames are damaged or missing"
    assert run("dataset", "check", made, "--quiet", "--json") == 2
    assert json.loads(capsys.readouterr().out) == {"frames": 9, "problems": [problem]}


def test_any_layout_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (6, 4)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"words")
    assert run("dataset", "check", f"pictures:{tmp_path}", "--quiet") == 2
    assert f"{tmp_path / 'b.png'} is not a readable picture" in capsys.readouterr().out


def test_what_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "words.mp4"
    text.write_text("words\n" * 50)
    there = tmp_path / "there"
    there.mkdir()
    output = tmp_path / "made"
    for arguments, told in (
        (("make", tmp_path / "missing.mp4", "-o", output), "no such file"),
        (("make", tmp_path, "-o", output), "is a folder: name the video files in it, such as"),
        (("make", film, text, "-o", output), "words.mp4"),
        (("make", film, film.parent / "." / film.name, "-o", output), "film.mp4 is given twice"),
        (("make", film, "-o", there), "there exists"),
        (("make", film, "-o", tmp_path / "nowhere" / "made"), "does not exist"),
        (("make", film, "-o", output, "--height", "2"), "--height"),
        (("check", there), "holds no index.json"),
        (("check", tmp_path / "nowhere"), "give LAYOUT:PATH"),
        (("show", f"gopro:{there}", "--split", "test"), "test/<video>/*.png"),
    ):
        assert told in refused(capsys, run("dataset", *arguments))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "words.mp4"]
    assert list(there.iterdir()) == []


def test_a_terminated_run_leaves_nothing(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", frames=400, size="320x180")
    command = [*COMMAND, "dataset", "make", str(film), "-o", str(tmp_path / "made")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not any(path.name.startswith(".made.") for path in tmp_path.iterdir()):
            assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 143
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("name", ["make", "check", "show"])
def test_help_shows_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run("dataset", name, "--help") == 0
    assert f"vs-interp dataset {name} " in capsys.readouterr().out.partition("Examples:")[2]
