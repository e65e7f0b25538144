"""What an evaluation measures: which frames are given and which are made again, and a model that is served on them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from tests.moving_footage import ANY_TIME, FLAVR, HEIGHT, TWICE, WIDTH, Halved, Moving, decibels, film, moved
from tests.test_imports import loaded
from trt_build.backends import OpenVINO
from trt_build.model_file import ModelFile, with_spec, write
from vs_interp.datasets.windows import cut_windows
from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.evaluation.compare import chosen, compare
from vs_interp.evaluation.material import Material
from vs_interp.evaluation.served import Served
from vs_interp.evaluation.tasks import frame_scores


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


def test_windows_off_the_grid_are_refused() -> None:
    """FLAVR 4x begins on frame 4 of a sequence, then on 8: a film whose cuts leave windows between has none."""
    windows = [window for window in cut_windows(Moving(15), FLAVR) if window.inputs[1] != 4]
    with pytest.raises(DatasetError, match="no window of flavr fits the grid"):
        chosen(windows, FLAVR, None)


def test_small_frames_that_do_not_fit_the_model_are_refused() -> None:
    footage = Moving(3)
    footage.small = Moving(3)
    with pytest.raises(ArgumentError, match=r"96x64 and the others 96x64, but twice upscales 2 times: name a model"):
        Material("made:", footage, TWICE, None, grey=False)
    with pytest.raises(ArgumentError, match=r"would not fit --height 32"):
        Material("made:", footage, TWICE, 32, grey=False)


def test_evaluating_needs_no_torch() -> None:
    assert "torch" not in loaded(
        "import vs_interp.evaluation.run, vs_interp.evaluation.page, vs_interp.evaluation.sheet"
    )


def test_equal_pictures_count_a_hundred_decibels() -> None:
    assert frame_scores(moved(0), moved(0)).scores["psnr"] == 100


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
    rows = compare(film(footage, TWICE), {"twice": served}, 2, lambda shown: made.append(shown.pictures[0]))
    for number, (row, picture) in enumerate(zip(rows, made, strict=True)):
        kernel = Image.Resampling.BICUBIC
        shrunk = np.asarray(Image.fromarray(moved(number)).resize((WIDTH // 2, HEIGHT // 2), kernel))
        small = moved(number)[::2, ::2] if own else shrunk
        wanted = small.repeat(2, 0).repeat(2, 1)
        assert np.abs(picture.astype(int) - wanted).max() <= (0 if own else 1)
        inner = slice(2, -2), slice(2, -2)
        assert row.judged.scores["psnr"] == pytest.approx(decibels(picture[inner], moved(number)[inner]), abs=1e-6)
        assert set(row.judged.scores) == {"psnr", "ssim", "ie", "psnr_luma", "ssim_luma"}
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
