"""A job that was broken off goes on where it was: what is whole stays, what is not is made again."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock

from tests.command_line import COMMAND, refused, run
from vs_interp.jobs.status import Status, Working

from .films import decoded, make_film

OPTIONS = ("--scale", "2", "--backend", "openvino:threads=1", "--codec", "ffv1", "--chunk", "0.4")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "in.mkv", seconds=8)


def convert(film: Path, output: Path, *more: str | Path) -> int:
    return run("convert", film, output, *OPTIONS, "--quiet", *more)


def begun(film: Path, output: Path, chunks: int) -> Path:
    """Begin a job, kill it when so many chunks are whole, and return its folder."""
    folder = output.with_name(f"{output.name}.job")
    with subprocess.Popen([*COMMAND, "convert", film, output, *OPTIONS, "--quiet"]) as process:
        while len(list(folder.glob("chunk-*.json"))) < chunks:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        process.kill()
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, and a job on it that was killed with two chunks whole: its folder, and another with a copy of it."""
    place = tmp_path_factory.mktemp("killed")
    folder = begun(make_film(place / "in.mkv", seconds=8), place / "out.mkv", 2)
    shutil.copytree(folder, place / "copy" / folder.name)
    return place


@pytest.fixture
def job(killed: Path) -> Path:
    """The folder of a job that was killed, as it was then; ``in.mkv`` lies beside it, ``out.mkv`` is to be made."""
    folder = killed / "out.mkv.job"
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(killed / "copy" / folder.name, folder))


@pytest.mark.slow
def test_what_was_whole_is_kept_and_the_film_is_that_of_one_go(film: Path, tmp_path: Path) -> None:
    whole, output = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    assert convert(film, whole, "--whole") == 0
    folder = begun(film, output, 3)
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("chunk-*.mkv")}
    assert kept and not output.exists()
    damaged, cut = sorted(kept)[:2]
    with (folder / damaged).open("r+b") as file:
        file.seek(500)
        file.write(b"\x00\xff\x00")
    (folder / cut).write_bytes((folder / cut).read_bytes()[:-100])
    process = subprocess.Popen([*COMMAND, "convert", film, output, *OPTIONS], stderr=subprocess.PIPE, text=True)
    seen: dict[str, int] = {}
    while process.poll() is None:
        for path in folder.glob("chunk-*.mkv"):
            with suppress(FileNotFoundError):  # joined meanwhile
                seen[path.name] = path.stat().st_mtime_ns
        time.sleep(0.02)
    assert process.returncode == 0 and process.stderr is not None
    assert f"damaged on the disk, and made again: chunk {int(damaged[6:11])}, {int(cut[6:11])}" in process.stderr.read()
    assert decoded(output) == decoded(whole)
    assert seen[damaged] > kept[damaged], "a chunk that changed on the disk is made again"
    assert seen[cut] > kept[cut], "a truncated chunk is made again"
    assert seen[sorted(kept)[2]] == kept[sorted(kept)[2]], "a whole chunk is kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mkv", "whole.mkv"]


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(film: Path, tmp_path: Path) -> None:
    whole, output = tmp_path / "whole.mkv", tmp_path / "out.mkv"
    assert convert(film, whole, "--whole") == 0
    moments = random.Random(20)
    for _ in range(6):
        process = subprocess.Popen([*COMMAND, "convert", film, output, *OPTIONS, "--quiet", "--overwrite"])
        try:
            process.wait(moments.uniform(1, 5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert convert(film, output, "--overwrite") == 0
    assert decoded(output) == decoded(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.mkv", "whole.mkv"]


@pytest.mark.slow
def test_another_job_in_the_folder_is_refused_by_what_differs(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.mkv"
    begun(film, output, 1)
    said = refused(capsys, run("convert", film, output, *OPTIONS, "--quality", "3", "--codec", "h264", "--quiet"))
    assert "encoding.codec was ffv1 and is h264" in said and "--restart" in said
    film.write_bytes(make_film(tmp_path / "other.mkv", "30").read_bytes())
    said = refused(capsys, convert(film, output))
    assert "source was" in said
    assert convert(film, output, "--restart") == 0
    assert len(decoded(output).times) == 120


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace('"borders": [\n  0,\n', '"borders": [\n  0,\n  1,\n'), "was changed since"),
        (lambda text: text[: len(text) // 2], "is not a job's manifest"),
        (lambda text: text.replace('"format": 1', '"format": 99'), "has format 99"),
    ],
    ids=["edited", "cut", "newer"],
)
def test_a_manifest_that_is_not_what_was_written_is_refused(
    job: Path, capsys: pytest.CaptureFixture[str], change: object, told: str
) -> None:
    assert callable(change)
    manifest = job / "manifest.json"
    manifest.write_text(change(manifest.read_text()))
    assert told in refused(capsys, convert(job.parent / "in.mkv", job.parent / "out.mkv"))


def test_the_rate_of_a_resumed_run_is_that_of_the_frames_it_made(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = sum(json.loads(path.read_text())["frames"] for path in job.glob("chunk-*.json"))
    output = job.parent / "out.mkv"
    assert kept and convert(job.parent / "in.mkv", output, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    output.unlink()
    assert (summary["frames"], summary["made"]) == (200, 200 - kept)
    assert summary["fps"] == pytest.approx(summary["made"] / summary["seconds"], rel=0.01)


def test_two_runs_on_one_job_are_one_too_many(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(job / "lock"):
        assert "another process works on" in refused(capsys, convert(job.parent / "in.mkv", job.parent / "out.mkv"))
        assert "another process works on" in refused(capsys, run("jobs", "remove", job))


def test_a_folder_of_other_files_is_no_place_for_a_job(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "holiday.mkv").write_bytes(b"irreplaceable")
    said = refused(capsys, convert(film, tmp_path / "out.mkv", "--job", tmp_path / "films"))
    assert "holds holiday.mkv, which is not part of a job" in said
    assert [path.name for path in (tmp_path / "films").iterdir()] == ["holiday.mkv"]


def test_a_job_that_cannot_begin_leaves_no_folder(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vs_interp.jobs.folder.write_whole", full)
    assert "No space left" in refused(capsys, convert(film, tmp_path / "out.mkv"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_jobs_are_listed_shown_and_removed(job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("jobs", "list", job.parent, "--json") == 0
    (state,) = json.loads(capsys.readouterr().out)
    assert state["of_frames"] == 200 and 0 < state["frames"] < 200 and state["output"] == str(job.parent / "out.mkv")
    assert state["running"] is None
    assert run("jobs", "show", job) == 0
    assert "of 20 chunks" in capsys.readouterr().out
    status = Status(50, 200, 12.5, 12.0, (Working("tcp://10.0.0.7:4711", 6, 3, 10),))
    (job / "status.json").write_text(json.dumps(asdict(status)))
    with FileLock(job / "lock"):
        assert run("jobs", "show", job) == 0
        said = capsys.readouterr().out
        assert "12.5 fps, 0:00:12 left" in said and "tcp://10.0.0.7:4711: chunk 6, 3 of 10 frames" in said
        assert run("jobs", "show", job, "--json") == 0
        assert json.loads(capsys.readouterr().out)["running"]["workers"][0]["chunk"] == 6
    assert run("jobs", "remove", job) == 0
    assert not job.exists()
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "manifest.json").write_text("{}")
    capsys.readouterr()
    assert "is not a job" in refused(capsys, run("jobs", "remove", tmp_path / "films"))
    (tmp_path / "film.mkv").touch()
    assert "film.mkv is not a job: name a folder" in refused(capsys, run("jobs", "show", tmp_path / "film.mkv"))


def test_a_damaged_job_hides_no_others_and_can_be_removed(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = Path(shutil.copytree(job, job.with_name("a.mkv.job")))
    (damaged / "manifest.json").write_text("{")
    assert run("jobs", "list", job.parent, "--json") == 0
    told = capsys.readouterr()
    assert [state["output"] for state in json.loads(told.out)] == [str(job.parent / "out.mkv")]
    assert "a.mkv.job" in told.err and "damaged" in told.err
    (damaged / "lock").unlink(missing_ok=True)  # as on Windows
    (damaged / "of-mine.txt").touch()
    assert "is not a job" in refused(capsys, run("jobs", "remove", damaged))
    (damaged / "of-mine.txt").unlink()
    assert run("jobs", "remove", damaged) == 0
    assert not damaged.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_says_how_to_go_on(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    folder = output.with_name("out.mkv.job")
    command = [*COMMAND, "convert", film, output, *OPTIONS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list(folder.glob("chunk-*.json")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert "run the same command to resume" in said
    assert not list(tmp_path.glob(".*partial*")) and list(folder.glob("chunk-*.json"))
