"""``vs-interp evaluate``: scores against figures worked out otherwise, comparators on known motion, and bad input."""

from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from trt_build.backends import OpenVINO
from trt_build.model_file import ModelFile, with_spec, write
from trt_build.verify import run_graph
from vs_interp.cli.comparators import INTERPOLATORS, _clip, _picture
from vs_interp.cli.evaluation import Stretch, chosen, compare, scores, stretches
from vs_interp.cli.main import main
from vs_interp.cli.material import Material
from vs_interp.cli.served import Served
from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.spec import NetworkSpec, Output, Window
from vs_interp.training.footage import Box, Footage, Frames
from vs_interp.training.windows import cut_windows
from vs_interp.weights import resolve

from .test_imports import loaded

WIDTH, HEIGHT = 96, 64
ANY_TIME = NetworkSpec(name="any-time")
FLAVR = NetworkSpec(name="flavr", window=Window(offsets=(-1, 0, 1, 2)), output=Output(times=(0.25, 0.5, 0.75)))
TWICE = NetworkSpec(name="twice", window=Window(offsets=(0,)), output=Output(times=(0.0,), scale=2))


def moved(by: float, seed: int = 0) -> Frames:
    """Return a soft coloured texture, moved to the left by so many whole pixels."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (20, 40, 3), dtype=np.uint8))
    large = np.asarray(coarse.resize((240, 120), Image.Resampling.BICUBIC))
    return large[20 : 20 + HEIGHT, 20 + round(by) : 20 + round(by) + WIDTH]


class Moving(Footage):
    """Sequences of a texture that moves by a pixel a frame; notes how often a frame is read."""

    def __init__(self, *lengths: int, seed: int = 0) -> None:
        self.lengths, self.seed = lengths, seed
        self.reads: list[tuple[int, int]] = []

    def name(self, sequence: int) -> str:
        return f"scene{sequence}"

    def size(self, sequence: int) -> tuple[int, int]:
        return HEIGHT, WIDTH

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        self.reads += [(sequence, number) for number in numbers]
        return np.stack([moved(number, self.seed + sequence) for number in numbers])


class Halved(Moving):
    """Every second line and column of the same."""

    def size(self, sequence: int) -> tuple[int, int]:
        return HEIGHT // 2, WIDTH // 2

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        return super()._read(sequence, numbers, box)[:, ::2, ::2]


def film(footage: Footage, spec: NetworkSpec, gap: int = 2) -> list[Stretch]:
    return list(
        stretches(Material("made:", footage, spec, None), spec, chosen(cut_windows(footage, spec, (gap,)), spec, None))
    )


def decibels(made: NDArray[Any], truth: NDArray[Any]) -> float:
    return float(-10 * np.log10(np.mean((made / 255 - truth / 255) ** 2)))


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


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
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *map(str, arguments), "--backend", "openvino:slots=1", "--quiet"])
    return int(ended.value.code or 0)


def test_a_model_is_scored_as_it_is_served_beside_other_methods(
    middlebury: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The filter's own frame gives the model's score; arithmetic on the files gives blending's."""
    import vapoursynth as vs
    from vs_interp.filters import super_slomo

    report, sheet = tmp_path / "scores.json", tmp_path / "worst.png"
    rivals = ["--against", "blend,mvtools,minterpolate"]
    assert run("super-slomo-small", f"middlebury:{middlebury}", *rivals, "--json", report, "--sheet", sheet) == 0
    figures = json.loads(report.read_text())
    methods = figures["methods"]
    assert list(methods) == ["super-slomo-small", "blend", "mvtools", "minterpolate"]
    assert methods["blend"]["pictures"] == 2
    by_scene = {name: values["datasets"][f"middlebury:{middlebury}"]["sequences"] for name, values in methods.items()}
    for seed, scene in enumerate(("Beanbags", "Walking")):
        first, truth, second = (moved(by, seed) for by in (0, 3, 6))
        blended = np.round(first / 2.0 + second / 2.0)
        assert by_scene["blend"][scene]["mean"]["psnr"] == pytest.approx(decibels(blended, truth), abs=1e-6)
        rgb = _clip([first, second]).resize.Point(format=vs.RGBS, matrix_in=vs.MATRIX_BT709, range_in=vs.RANGE_FULL)
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
        assert (picture.format, picture.size) == ("PNG", (4 + 5 * (WIDTH + 4), 4 + 2 * (20 + HEIGHT + 4)))
    assert f"{methods['mvtools']['mean']['psnr']:.2f} dB" in capsys.readouterr().out


def test_an_enlarging_model_is_scored_in_luma_beside_bicubic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shrunk with Pillow, the graph run without a session; BT.601 codes from 16 to 235, without a border of 2."""
    Image.fromarray(moved(0)).save(tmp_path / "still.png")
    assert run("fsrcnn-x2", f"pictures:{tmp_path}", "--against", "bicubic,lanczos", "--json", "-") == 0
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


def test_frames_on_the_grid_are_given_and_those_between_are_made() -> None:
    """Nine frames: 0, 2, 4, 6, 8 are given; with a gap of 4, three frames are made in each of two gaps."""
    (stretch,) = film(Moving(9), ANY_TIME)
    assert stretch.frames == (0, 2, 4, 6, 8)
    assert [window.truths for window in stretch.windows] == [(1,), (3,), (5,), (7,)]
    (stretch,) = film(Moving(9), ANY_TIME, 4)
    assert [window.truths for window in stretch.windows] == [(1,), (2,), (3,), (5,), (6,), (7,)]
    assert stretch.places == (0, 0, 0, 1, 1, 1)
    assert stretch.times[3:] == ((Fraction(1, 4),), (Fraction(1, 2),), (Fraction(3, 4),))


def test_windows_of_several_pictures_and_of_several_sequences() -> None:
    """FLAVR 4x sees the frames 0, 4, 8, 12 and makes 5, 6, 7; sequences are worked on one after the other."""
    first, second = film(Moving(13, 17), FLAVR)
    assert (first.frames, first.places) == ((4, 8), (0,))
    assert first.windows[0].truths == (5, 6, 7)
    assert first.times == ((Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)),)
    assert (second.sequence, second.frames, second.places) == (1, (4, 8, 12), (0, 1))


@pytest.mark.parametrize("name", INTERPOLATORS)
@pytest.mark.parametrize(("spec", "gap"), [(ANY_TIME, 2), (ANY_TIME, 4), (FLAVR, 4)], ids=["half", "quarters", "flavr"])
def test_comparators_make_the_frames_of_the_right_moments(name: str, spec: NetworkSpec, gap: int) -> None:
    """Each picture is nearer to its own truth than to the frames before and after it."""
    footage = Moving(13)

    def near(made: NDArray[np.uint8], number: int) -> float:
        return float(np.abs(made[8:-8, 16:-24].astype(float) - moved(number)[8:-8, 16:-24]).mean())

    for stretch in film(footage, spec, gap):
        for window, made in zip(stretch.windows, INTERPOLATORS[name].method(stretch), strict=True):
            assert len(made) == len(window.truths)
            for picture, number in zip(made, window.truths, strict=True):
                assert picture.shape == (HEIGHT, WIDTH, 3) and picture.dtype == np.uint8
                if name != "blend":
                    assert near(picture, number) < min(near(picture, number - 1), near(picture, number + 1))
                else:
                    assert near(picture, number) > 0


def test_mvtools_on_a_pair_and_its_neighbours_is_mvtools_on_the_whole_film() -> None:
    (stretch,) = film(Moving(13), ANY_TIME)
    clip = _clip([stretch.picture(place) for place in range(len(stretch.frames))])
    sup = clip.mv.Super(pel=2)
    vectors = [sup.mv.Analyse(isb=isb, blksize=16, overlap=8, search=3) for isb in (True, False)]
    whole = clip.mv.FlowFPS(sup, *vectors, num=60, den=1, mask=2)
    for place, (made,) in enumerate(INTERPOLATORS["mvtools"].method(stretch)):
        assert np.array_equal(made, _picture(whole, 2 * place + 1))


def test_methods_side_by_side_share_what_is_read() -> None:
    footage = Moving(41)
    methods = {name: INTERPOLATORS[name].method for name in ("blend", "mvtools")}
    rows = compare(film(footage, ANY_TIME), methods, 0, lambda *seen: None)
    assert len(rows) == 20 * len(methods)
    assert sorted(footage.reads) == [(0, number) for number in range(41)]


def test_evaluating_needs_no_torch() -> None:
    assert "torch" not in loaded("import vs_interp.cli.evaluation, vs_interp.cli.served, vs_interp.cli.comparators")


def test_equal_pictures_count_a_hundred_decibels() -> None:
    assert scores(moved(0), moved(0))["psnr"] == 100


def test_small_frames_that_do_not_fit_the_model_are_refused() -> None:
    footage = Moving(3)
    footage.small = Moving(3)
    with pytest.raises(ArgumentError, match=r"96x64 and the others 96x64, and twice enlarges 2 times: name a model"):
        Material("made:", footage, TWICE, None)
    with pytest.raises(ArgumentError, match=r"--height 32 would not fit"):
        Material("made:", footage, TWICE, 32)


def test_windows_off_the_grid_are_refused() -> None:
    """FLAVR 4x begins on frame 4 of a sequence, then on 8: a film whose cuts leave windows between has none."""
    windows = [window for window in cut_windows(Moving(15), FLAVR) if window.inputs[1] != 4]
    with pytest.raises(DatasetError, match="no window of flavr begins on the grid"):
        chosen(windows, FLAVR, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["super-slomo-small", "nowhere"], "'nowhere' is no data set: give LAYOUT:PATH"),
        (["super-slomo-small", "middlebury:nowhere"], "nowhere"),
        (["super-slow-motion", "middlebury:{}"], "there is no model file super-slow-motion"),
        (["super-slomo-small", "pictures:{}/other-data/Walking"], "no window of super-slomo fits"),
        (
            ["super-slomo-small", "middlebury:{}", "--against", "bicubic"],
            "not measured against bicubic: known are blend",
        ),
        (
            ["fsrcnn-x2", "middlebury:{}", "--against", "blend"],
            "not measured against blend: known are bicubic, lanczos",
        ),
        (["super-slomo-small", "middlebury:{}", "--sheet", "{}"], "exists: remove it"),
        (["super-slomo-small", "middlebury:{}", "--json", "{}/none/scores.json"], "does not exist: make it first"),
        (["super-slomo-small", "middlebury:{}", "--limit", "0"], "--limit"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str], message: str, middlebury: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(*(argument.format(middlebury) for argument in arguments))
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert re.fullmatch(r"vs-interp: [^\n]+\n", err) and message in err


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
    assert run("super-slomo-small", f"ucf101:{folder.parent}", *rivals, "--json", report) == 2
    assert "frame_02.png" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [folder.parent]


def test_a_method_that_is_not_here_is_left_out_and_said(
    middlebury: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VS_INTERP_FFMPEG", "no-such-ffmpeg")
    rivals = ["--against", "minterpolate,blend", "--limit", "1", "--json", "-"]
    assert run("super-slomo-small", f"middlebury:{middlebury}", *rivals) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert list(figures["methods"]) == ["super-slomo-small", "blend"]
    assert "no-such-ffmpeg" in figures["left_out"]["minterpolate"]
    assert "minterpolate is left out: VS_INTERP_FFMPEG names 'no-such-ffmpeg'" in err


@pytest.fixture(scope="module")
def doubling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that doubles RGB pictures by repeating their pixels."""
    frames = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, None, None]) for name in ("frame0", "output")
    ]
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 2, 2])
    way = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    node = helper.make_node("Resize", ["frame0", "", "scales"], ["output"], **way)
    graph = helper.make_graph([node], "doubling", frames[:1], frames[1:], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path_factory.mktemp("model") / "doubling.onnx"
    write(with_spec(model, TWICE), path)
    return path


@pytest.mark.parametrize("own", [True, False], ids=["the data set's own small frames", "shrunk here"])
def test_colours_are_enlarged_from_small_frames(own: bool, doubling: Path) -> None:
    """Every second pixel of the data set's, or Pillow's shrinking of colours, each pixel repeated; no border of 2."""
    footage = Moving(3)
    footage.small = Halved(3) if own else None
    made: list[NDArray[np.uint8]] = []
    served = Served(ModelFile.load(doubling), OpenVINO(threads=1))
    rows = compare(film(footage, TWICE), {"twice": served}, 2, lambda *seen: made.append(seen[3]))
    for number, (row, picture) in enumerate(zip(rows, made, strict=True)):
        kernel = Image.Resampling.BICUBIC
        shrunk = np.asarray(Image.fromarray(moved(number)).resize((WIDTH // 2, HEIGHT // 2), kernel))
        small = moved(number)[::2, ::2] if own else shrunk
        wanted = small.repeat(2, 0).repeat(2, 1)
        assert np.abs(picture.astype(int) - wanted).max() <= (0 if own else 1)
        inner = slice(2, -2), slice(2, -2)
        assert row.scores["psnr"] == pytest.approx(decibels(picture[inner], moved(number)[inner]), abs=1e-6)
        assert set(row.scores) == {"psnr", "ssim", "ie", "psnr_luma", "ssim_luma"}
    assert len(rows) == 3


def test_data_sets_measured_one_after_the_other_are_not_mixed_up(doubling: Path) -> None:
    """A session keeps the frames it knows by number; those of another data set have the same numbers."""
    served = Served(ModelFile.load(doubling), OpenVINO(threads=1))
    for seed in (0, 5):
        footage = Moving(1, seed=seed)
        footage.small = Halved(1, seed=seed)
        (stretch,) = film(footage, TWICE)
        ((made,),) = served(stretch)
        assert np.array_equal(made, moved(0, seed)[::2, ::2].repeat(2, 0).repeat(2, 1))
