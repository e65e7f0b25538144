"""Models beside a model: each is shown what it would be shown alone, and makes what it makes alone."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import foreseen
from tests.evaluating import evaluate
from tests.moving_footage import moved
from vs_interp.errors import ArgumentError
from vs_interp.evaluation.compare import Shown
from vs_interp.evaluation.tasks import Made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pictures that move by two pixels each."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(9):
        Image.fromarray(moved(2 * number)).save(root / f"{number}.png")
    return root


def pictures(model: str, folder: Path, against: list[str], **selection: int) -> dict[tuple[str, int], Made]:
    """Return what every method made, by its name and the frame's number."""
    made: dict[tuple[str, int], Made] = {}

    def see(shown: Shown) -> None:
        made.update({(row.method, row.frame): picture for row, picture in zip(shown.rows, shown.pictures, strict=True)})

    evaluate(model, folder, against=against, watch=see, **selection)
    return made


def test_a_rival_of_another_window_makes_what_it_makes_as_the_model(folder: Path) -> None:
    """FLAVR looks at four frames where Super-SloMo looks at two, and at mirrored ones at the ends."""
    rival = pictures("super-slomo-small", folder, ["flavr-small-2x"])
    alone = pictures("flavr-small-2x", folder, [])
    assert [frame for method, frame in alone] == [3, 5]
    for frame in (3, 5):
        assert np.abs(rival["flavr-small-2x", frame].astype(int) - alone["flavr-small-2x", frame]).max() <= 1
    assert {frame for method, frame in rival} == {1, 3, 5, 7}


def test_a_rival_with_fixed_times_gives_those_asked_for(folder: Path) -> None:
    rival = pictures("super-slomo-small", folder, ["flavr-small-4x"])
    assert ("flavr-small-4x", 3) in rival
    with pytest.raises(ArgumentError, match=r"at the times 1/4, 1/2, 3/4, but 1/3 is needed"):
        pictures("super-slomo-small", folder, ["flavr-small-4x"], gap=3)


def test_networks_of_luma_and_of_colours_stand_side_by_side(folder: Path) -> None:
    """Colours beside the five frames of five-parallel: FSRCNN's luma with chroma by bicubic, as upscale gives it."""
    import vapoursynth as vs
    from vs_interp.filters import upscale

    from vs_interp.evaluation.material import resized
    from vs_interp.evaluation.motion import clip_of, picture_of
    from vs_interp.size import Size

    made = pictures("five-parallel-x4", folder, ["fsrcnn-x4"], limit=1)
    small = resized(moved(4), Size(24, 16))
    clip = clip_of([small]).resize.Point(matrix=vs.MATRIX_ST170_M)
    clip = upscale(clip, scale=4, model="fsrcnn-x4", backend="openvino")
    served = picture_of(clip.resize.Point(matrix=vs.MATRIX_BT709), 0)
    assert np.abs(made["fsrcnn-x4", 2].astype(int) - served)[8:-8, 8:-8].mean() < 0.8


def test_flow_is_scored_against_files_beside_the_pictures(tmp_path: Path) -> None:
    """Pictures that move left by two pixels: the file says so, and Super-SloMo's own flow sees it."""
    for number in range(3):
        Image.fromarray(moved(2 * number)).save(tmp_path / f"{number}.png")
        known = np.broadcast_to(np.array((-2, 0), "<f4"), (64, 96, 2))
        (tmp_path / f"{number}.flo").write_bytes(struct.pack("<fii", 202021.25, 96, 64) + known.tobytes())
    model = foreseen.leftward(tmp_path / "leftward.onnx", pixels=2)
    means = evaluate(model, tmp_path, against=["still", "super-slomo-small"]).figures["methods"]
    assert means["leftward"]["mean"] == {"epe": 0.0, "over1": 0.0, "over3": 0.0}
    assert means["still"]["mean"] == {"epe": 2.0, "over1": 1.0, "over3": 0.0}
    assert means["super-slomo-small"]["mean"]["epe"] < 1
    (tmp_path / "1.flo").write_bytes(b"PIE")
    with pytest.raises(Exception, match=r"1\.flo is not a \.flo file"):
        evaluate(model, tmp_path)


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    model = foreseen.drifting(tmp_path / "drift.onnx", channels=3)
    longer = foreseen.drifting(tmp_path / "longer.onnx", seen=5)
    with pytest.raises(
        ArgumentError, match=r"longer\.onnx takes 5 frames, more than drifting: evaluate it as the model"
    ):
        evaluate(model, folder, against=[str(longer)])
    with pytest.raises(ArgumentError, match="--ahead is 9, but drifting predicts 2 frames"):
        evaluate(model, folder, ahead=9)
    assert (
        len(evaluate(model, folder, ahead=1, against=["repeat", "blurred"]).figures["methods"]["drift"]["leads"]) == 1
    )
