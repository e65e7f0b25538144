"""The command line as a person meets it: what it says, its exit codes, and the files it leaves."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import click
import pytest

from vs_interp.cli.demo import write_png
from vs_interp.cli.main import COMMANDS, group, main
from vs_interp.cli.options import parse_backend
from vs_interp.errors import ArgumentError
from vs_interp.ffmpeg import find_ffmpeg, keep_time_stamps

from .support import ROOT
from .video import ffmpeg, make_variable, make_video, time_stamps

BUNDLED = ROOT / "vs_interp" / "models" / "super-slomo-small.onnx"
needs_weights = pytest.mark.skipif(not BUNDLED.is_file(), reason="the bundled weights are not there")
COMMAND = [sys.executable, "-c", "from vs_interp.cli.main import main; main()"]


@pytest.fixture(autouse=True)
def _handlers() -> object:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(*arguments: str | Path) -> int:
    """Run the command line in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def convert(*arguments: str | Path) -> int:
    return run("convert", *arguments, "--interpolate", "super-slomo", "--quiet")


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """Return the one line on standard error after exit code 2."""
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert re.fullmatch(r"vs-interp: [^\n]+\n", err), err
    return err


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom vs_interp.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'torch', 'vapoursynth', 'onnx', 'openvino', 'av', 'numpy'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "set()"
    assert all(f"\n  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    if isinstance(group.get_command(click.Context(group), name), click.Group):
        pytest.skip("a group of commands")
    assert run(name, "--help") == 0
    assert f"vs-interp {name} " in capsys.readouterr().out.partition("Example")[2]


@needs_weights
@pytest.mark.parametrize(
    ("rate", "frames", "seconds"),
    [(("--factor", "2"), 20, Fraction(1001, 48000)), (("--factor", "5/2"), 25, Fraction(1001, 60000)),
     (("--fps", "59.94"), 25, Fraction(1001, 60000)), (("--fps", "60"), 25, Fraction(1, 60))],
)  # fmt: skip
def test_convert_gives_the_frames_and_times_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: tuple[str, str], frames: int, seconds: Fraction
) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=10), tmp_path / "out.mp4"
    assert convert(source, output, *rate, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["output"], summary["frames"]) == (str(output), frames)
    assert time_stamps(output) == [n * seconds for n in range(frames)]


@needs_weights
def test_convert_divides_variable_durations_exactly(tmp_path: Path) -> None:
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    before = time_stamps(source)
    assert convert(source, output, "--factor", "3") == 0
    after = time_stamps(output)
    assert after[::3] == before
    assert after[1:-3:3] == [first + (second - first) / 3 for first, second in itertools.pairwise(before)]


@needs_weights
def test_a_rate_that_varies_only_later_is_followed(tmp_path: Path) -> None:
    """Of 4.8 s the first 4 s show every frame of 30 a second, the rest every third: nothing may be shown too soon."""
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=32x32:r=30:d=4.8", "-vf", "select='lt(n,120)+not(mod(n,3))'",
           *keep_time_stamps(find_ffmpeg()), "-c:v", "libx264", "-pix_fmt", "yuv420p", source)  # fmt: skip
    assert convert(source, output, "--fps", "60") == 0
    shown = time_stamps(source)[-1]
    assert Fraction(47, 10) <= shown <= time_stamps(output)[-1] <= shown + Fraction(1, 10)
    assert time_stamps(output) == [Fraction(n, 60) for n in range(len(time_stamps(output)))]


@pytest.mark.parametrize("variable", [False, True])
def test_convert_interpolates_and_upscales_in_one_pass(tmp_path: Path, variable: bool) -> None:
    """Frames and time stamps are those of interpolation alone, the picture is twice as wide and as high."""
    source = make_variable(tmp_path / "in.mkv") if variable else make_video(tmp_path / "in.mkv", frames=6)
    both, plain, large = (tmp_path / name for name in ("both.mkv", "plain.mkv", "large.mkv"))
    assert convert(source, plain, "--factor", "2") == 0
    assert convert(source, both, "--factor", "2", "--upscale", "2", "--tile", "64") == 0
    assert run("convert", source, large, "--upscale", "3", "--upscale-model", "fsrcnn-x3", "--quiet") == 0
    assert time_stamps(both) == time_stamps(plain)
    assert time_stamps(large) == time_stamps(source)
    for path, size in ((both, (192, 128)), (large, (288, 192))):
        with av.open(str(path)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == size


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_video(tmp_path / "in.mp4", frames=4)


def test_sources_that_are_no_videos_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, empty, sound = tmp_path / "in.txt", tmp_path / "in.mkv", tmp_path / "in.m4a"
    text.write_text("words\n" * 100)
    empty.touch()
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", sound)
    output = tmp_path / "out.mkv"
    for wrong, told in (
        (tmp_path / "missing.mp4", "no such file"),
        (text, "no video"),
        (empty, "no video file"),
        (sound, "no video in it"),
    ):
        assert told in refused(capsys, convert(wrong, output, "--factor", "2"))
        assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "either --factor or --fps"),
        (("--factor", "2", "--fps", "60"), "either --factor or --fps"),
        (("--factor", "1"), "above 1"),
        (("--factor", "-2"), "above 1"),
        (("--factor", "1000"), "at most"),
        (("--factor", "two"), "such as 2, 2.5 or 5/2"),
        (("--factor", "1/0"), "such as 2, 2.5 or 5/2"),
        (("--fps", "fast"), "such as 60, 59.94 or 60000/1001"),
        (("--fps", "nan"), "such as 60, 59.94 or"),
        (("--fps", "12"), "already has 23.976"),
        (("--factor", "2", "--backend", "abacus"), "no backend is called 'abacus'"),
        (("--factor", "2", "--backend", "openvino:colour=red"), "its options are"),
        (("--factor", "2", "--model", "missing.onnx"), "missing.onnx"),
        (("--factor", "2", "--scene-threshold", "much"), "from 0 to 1, or off"),
        (("--factor", "2", "--interpolate", "magic"), "magic"),
        (("--fps", "60", "--interpolate", "flavr"), "give --factor"),
        (("--factor", "2", "--upscale", "5"), "no weights of fsrcnn with scale 5"),
        (("--factor", "2", "--upscale", "2", "--upscale-model", "rife"), "no weights of rife with scale 2"),
        (("--factor", "2", "--tile", "64"), "--tile belongs to --upscale"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    output = source.with_name("out.mkv")
    code = run("convert", source, output, "--interpolate", "super-slomo", "--quiet", *arguments)
    assert told in refused(capsys, code)
    assert [path.name for path in source.parent.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --interpolate NETWORK, --upscale N, or both"),
        (("--factor", "2"), "give --interpolate NETWORK, --upscale N, or both"),
        (("--upscale", "2", "--factor", "2"), "--factor belongs to --interpolate"),
        (("--upscale", "2", "--model", "rife-4.0"), "--model belongs to --interpolate"),
        (("--upscale", "0"), "0 is not in the range"),
    ],
)
def test_a_step_must_be_asked_for(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in refused(capsys, run("convert", source, source.with_name("out.mkv"), "--quiet", *arguments))


def test_outputs_that_must_not_be_written_are_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = source.with_name("there.mkv")
    there.write_text("mine")
    content = source.read_bytes()
    for output, told in (
        (there, "--overwrite"),
        (source, "source itself"),
        (source.parent, "is a folder"),
        (source.parent / "nowhere" / "out.mkv", "does not exist"),
        (source.with_name("out.xyz"), "suffix"),
        (source.with_name("out"), "suffix"),
        (source.with_name("out.wav"), "cannot hold"),
        (source.with_name("out.png"), "cannot hold"),
    ):
        assert told in refused(capsys, convert(source, output, "--factor", "2"))
    assert there.read_text() == "mine"
    assert source.read_bytes() == content
    assert sorted(path.name for path in source.parent.iterdir()) == ["in.mp4", "there.mkv"]


@pytest.mark.parametrize("binary", ["false", "/dev/null", "no-such-program"])
def test_a_broken_ffmpeg_is_refused(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, binary: str
) -> None:
    monkeypatch.setenv("VS_INTERP_FFMPEG", binary)
    assert binary in refused(capsys, convert(source, source.with_name("out.mkv"), "--factor", "2"))
    assert [path.name for path in source.parent.iterdir()] == ["in.mp4"]


@needs_weights
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=400, size="640x360"), tmp_path / "out.mkv"
    command = [*COMMAND, "convert", source, output, "--interpolate", "super-slomo", "--factor", "4"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        _wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def _wait_for(condition: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_backends_are_read_from_words() -> None:
    backend = parse_backend("openvino:threads=3,slots=2,precision=bf16")
    assert (backend.threads, backend.slots, backend.precision) == (3, 2, "bf16")  # type: ignore[attr-defined]
    for wrong in ("openvino:threads", "openvino:threads=many", "openvino:threads=0", "openvino:precision=fp64"):
        with pytest.raises(ArgumentError):
            parse_backend(wrong)


def test_doctor_tells_versions_and_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("doctor", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    found = {(finding["topic"], finding["name"]): finding["found"] for finding in report["findings"]}
    assert found["package", "python"] == sys.version.split()[0]
    assert found["backend", "openvino"] == "works"
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
    assert 'pip install "vs-interp[train]"' in told


def test_export_never_replaces_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model.onnx"
    model.write_text("mine")
    assert "--overwrite" in refused(capsys, run("export", tmp_path / "weights.ckpt", "-o", model))
    assert model.read_text() == "mine"


def test_export_of_something_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tmp_path / "weights.ckpt"
    words.write_text("words")
    assert "no PyTorch checkpoint" in refused(capsys, run("export", words, "-o", tmp_path / "model.onnx"))


def test_pictures_are_written_bit_exact(tmp_path: Path) -> None:
    import numpy as np
    import vapoursynth as vs

    frame = vs.core.std.BlankClip(format=vs.RGB24, width=33, height=7, color=[255, 128, 3]).get_frame(0)
    write_png(frame, tmp_path / "a.png")
    with av.open(str(tmp_path / "a.png")) as container:
        read = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(read, np.broadcast_to([255, 128, 3], (7, 33, 3)))


@needs_weights
@pytest.mark.slow
def test_the_demo_leaves_a_video_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "--output", tmp_path / "demo") == 0
    assert "Blender Foundation" in capsys.readouterr().out
    assert time_stamps(tmp_path / "demo" / "bbb_2x.mp4") == [Fraction(n, 48) for n in range(192)]
    assert (tmp_path / "demo" / "frames.png").read_bytes().startswith(b"\x89PNG")
