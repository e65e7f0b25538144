"""``vs-interp evaluate``: scores against figures worked out otherwise, and what it says of bad input."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import command_line
from tests.command_line import refused
from tests.moving_footage import HEIGHT, WIDTH, decibels, moved
from trt_build.model_file import ModelFile
from trt_build.verify.verify import run_graph
from vs_interp.evaluation.motion import clip_of
from vs_interp.weights.catalogue import resolve


@pytest.fixture(scope="module")
def middlebury(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes in Middlebury's layout, which move by 6 pixels from frame to frame."""
    root = tmp_path_factory.mktemp("middlebury")
    for seed, scene in enumerate(("Beanbags", "Walking")):
        for name, by in (
            ("other-data/{}/frame10", 0),
            ("other-gt-interp/{}/frame10i11", 3),
            ("other-data/{}/frame11", 6),
        ):
            path = root / f"{name.format(scene)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(moved(by, seed)).save(path)
    return root


def run(*arguments: str | Path) -> int:
    """Evaluate with one session, and show no progress."""
    return command_line.run("evaluate", *arguments, "--backend", "openvino:streams=1", "--quiet")


def test_a_model_is_scored_as_it_is_served_beside_other_methods(
    middlebury: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The filter's own frame gives the model's score; arithmetic on the files gives blending's."""
    import vapoursynth as vs
    from vs_interp.filters import super_slomo

    report, sheet = tmp_path / "scores.json", tmp_path / "worst.png"
    rivals = ["--against", "blend,mvtools,minterpolate"]
    assert run("super-slomo-small", f"middlebury:{middlebury}", *rivals, "--report", report, "--sheet", sheet) == 0
    figures = json.loads(report.read_text())
    methods = figures["methods"]
    assert list(methods) == ["super-slomo-small", "blend", "mvtools", "minterpolate"]
    assert methods["blend"]["pictures"] == 2
    by_scene = {name: values["datasets"][f"middlebury:{middlebury}"]["sequences"] for name, values in methods.items()}
    for seed, scene in enumerate(("Beanbags", "Walking")):
        first, truth, second = (moved(by, seed) for by in (0, 3, 6))
        blended = np.round(first / 2.0 + second / 2.0)
        assert by_scene["blend"][scene]["mean"]["psnr"] == pytest.approx(decibels(blended, truth), abs=1e-6)
        rgb = clip_of([first, second]).resize.Point(format=vs.RGBS, matrix_in=vs.MATRIX_BT709, range_in=vs.RANGE_FULL)
        doubled = super_slomo(rgb, backend="openvino", scene_threshold=None).resize.Point(format=vs.RGB24)
        with doubled.get_frame(1) as frame:
            served = np.stack([np.asarray(frame[channel]) for channel in range(3)], 2)
        assert by_scene["super-slomo-small"][scene]["mean"]["psnr"] == pytest.approx(decibels(served, truth), abs=0.02)
    for name in ("super-slomo-small", "mvtools", "minterpolate"):
        assert methods[name]["mean"]["psnr"] > methods["blend"]["mean"]["psnr"] + 3
    mean = np.mean([by_scene["blend"][scene]["mean"]["psnr"] for scene in ("Beanbags", "Walking")])
    assert methods["blend"]["mean"]["psnr"] == pytest.approx(mean)
    assert {"vs-interp", "numpy", "openvino", "ffmpeg", "python"} <= set(figures["versions"])
    with Image.open(sheet) as picture:
        assert picture.format == "PNG" and picture.width > 4 * 2 * WIDTH and picture.height > 2 * 2 * 2 * HEIGHT
    assert f"{methods['mvtools']['mean']['psnr']:.2f} dB" in capsys.readouterr().out


def test_an_enlarging_model_is_scored_in_luma_beside_bicubic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shrunk with Pillow, the graph run without a session; BT.601 codes from 16 to 235, without a border of 2."""
    Image.fromarray(moved(0)).save(tmp_path / "still.png")
    assert run("fsrcnn-x2", f"pictures:{tmp_path}", "--against", "bicubic,lanczos", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    kernel = Image.Resampling.BICUBIC
    large = np.round(moved(0) @ (0.299, 0.587, 0.114))
    small = np.round(np.asarray(Image.fromarray(large.astype(np.float32)).resize((WIDTH // 2, HEIGHT // 2), kernel)))
    bicubic = np.asarray(Image.fromarray(small.astype(np.float32)).resize((WIDTH, HEIGHT), kernel))
    graph = ModelFile.load(resolve("fsrcnn-x2", network="fsrcnn")).graph
    made = 255 * run_graph(graph, {"frame0": small[None, None].astype(np.float32) / 255}, ["output"])["output"][0, 0]
    for name, picture in (("bicubic", bicubic), ("fsrcnn-x2", made)):
        difference = (np.round(picture.clip(0, 255)) - large)[2:-2, 2:-2] * 219 / 255
        mean = figures["methods"][name]["mean"]
        assert set(mean) == {"psnr_luma", "ssim_luma"}
        assert mean["psnr_luma"] == pytest.approx(10 * math.log10(255**2 / np.mean(difference**2)), abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["super-slomo-small", "nowhere"],
            "there is no nowhere: name a video file, a folder of pictures, or a data set as LAYOUT:PATH",
        ),
        (["super-slomo-small", "middlebury:nowhere"], "nowhere"),
        (["super-slow-motion", "middlebury:{}"], "there is no model file super-slow-motion"),
        (["super-slomo-small", "pictures:{}/other-data/Walking"], "no window of super-slomo fits"),
        (
            ["super-slomo-small", "middlebury:{}", "--against", "bicubic"],
            "frames between frames cannot be compared with bicubic: use blend",
        ),
        (
            ["fsrcnn-x2", "middlebury:{}", "--against", "blend"],
            "enlarged frames cannot be compared with blend: use bicubic, lanczos",
        ),
        (["super-slomo-small", "middlebury:{}", "--sheet", "{}/other-data/Walking/frame10.png"], "exists: remove it"),
        (["super-slomo-small", "middlebury:{}", "--sheet", "worst.gif"], "ends in .png or .jpg"),
        (["super-slomo-small", "middlebury:{}", "--against", "fsrcnn-x2"], "fsrcnn-x2 makes enlarged frames"),
        (["super-slomo-small", "middlebury:{}", "--ahead", "3"], "does not predict frames"),
        (
            ["flavr-small-2x", "middlebury:{}", "--gap", "4"],
            "--gap is 4, but flavr makes frames at fixed times: leave it out, or give 2",
        ),
        (["flavr-small-2x", "middlebury:{}", "--gap", "2"], "no window of flavr fits"),
        (["fsrcnn-x2", "middlebury:{}", "--gap", "2"], "--gap is 2, but fsrcnn makes no frames between frames"),
        (
            ["unet49-scenes", "scenes:96x64", "--height", "32"],
            "--height 32 would scale the frames but not their true lab",
        ),
        (["fsrcnn-x2", "middlebury:{}", "--against", "fsrcnn-x3"], "upscales 3 times, but fsrcnn 2 times"),
        (["super-slomo-small", "middlebury:{}", "--report", "{}/none/scores.json"], "does not exist: make it first"),
        (["super-slomo-small", "middlebury:{}", "--limit", "0"], "--limit"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str], message: str, middlebury: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, run(*(argument.format(middlebury) for argument in arguments)))


def test_several_films_are_scored_one_by_one_too(
    middlebury: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In full, however narrow the terminal is."""
    monkeypatch.setenv("COLUMNS", "40")
    films = [str(middlebury / "other-data" / scene) for scene in ("Beanbags", "Walking")]
    report = tmp_path / "scores.json"
    assert run("anime4k-s-x2", *films, "--against", "bicubic", "--report", report) == 0
    methods = json.loads(report.read_text())["methods"]
    lines = capsys.readouterr().out.splitlines()
    shown = lines[lines.index(next(line for line in lines if "by film" in line)) :]
    for film in films:
        (row,) = [line for line in shown if film in line]
        scores = [values["datasets"][film]["mean"]["psnr"] for values in methods.values()]
        assert re.findall(r"([\d.]+) dB", row) == [f"{score:.2f}" for score in scores]


def test_two_models_of_one_name_are_two_methods(
    middlebury: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checkpoints of two runs are both called best.onnx: each is shown by its path, which rich takes for no mark-up."""
    paths = []
    for run_of, model in (("one", "fsrcnn-x2"), ("[/two]", "anime4k-s-x2")):
        paths.append(str(tmp_path / run_of / "best.onnx"))
        Path(paths[-1]).parent.mkdir(parents=True)
        shutil.copy(resolve(model), paths[-1])
    rivals = ["--against", f"{paths[1]},bicubic", "--report", tmp_path / "scores.json"]
    assert run(paths[0], middlebury / "other-data" / "Walking", *rivals) == 0
    methods = json.loads((tmp_path / "scores.json").read_text())["methods"]
    assert list(methods) == [*paths, "bicubic"]
    assert methods[paths[0]]["kmac"] != methods[paths[1]]["kmac"]
    assert paths[1] in capsys.readouterr().out


def test_a_damaged_frame_ends_the_evaluation_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set" / "0001"
    folder.mkdir(parents=True)
    for name, by in (("frame_00", 0), ("frame_01_gt", 3), ("frame_02", 6)):
        Image.fromarray(moved(by)).save(folder / f"{name}.png")
    damaged = folder / "frame_02.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    report = tmp_path / "scores.json"
    rivals = ["--against", "minterpolate,blend"]
    assert run("super-slomo-small", f"ucf101:{folder.parent}", *rivals, "--report", report) == 2
    assert "frame_02.png" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [folder.parent]


def test_a_method_that_is_not_here_is_left_out_and_said(
    middlebury: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VS_INTERP_FFMPEG", "no-such-ffmpeg")
    rivals = ["--against", "minterpolate,blend", "--limit", "1", "--json"]
    assert command_line.run("evaluate", "super-slomo-small", f"middlebury:{middlebury}", *rivals) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert list(figures["methods"]) == ["super-slomo-small", "blend"]
    assert "no-such-ffmpeg" in figures["left_out"]["minterpolate"]
    assert "minterpolate is left out: VS_INTERP_FFMPEG names 'no-such-ffmpeg'" in err
