"""How far optical flow is from the truth where that is known: film that was moved by a shift, and generated scenes.

The limits lie above what `python -m benchmarks.flow` prints, and well below no motion (6.7 and 3.6 pixels).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.flow import Known, Method, by_model, crops, dis, first_picture, scenes, still
from tests.published import published_model
from tests.support import ROOT

FILM = str(ROOT / "vs_interp" / "clips" / "bbb_360p24.mp4")


def errors(method: Method, pairs: Sequence[Known]) -> float:
    return float(np.mean([pair.error(*method(pair)) for pair in pairs]))


def moved() -> list[Known]:
    return list(crops(first_picture(FILM), 3))


def test_no_motion_is_as_wrong_as_the_motion_is_long() -> None:
    assert errors(still, moved()) == pytest.approx(np.hypot(6, 3))


@pytest.mark.slow
def test_the_bundled_flow_is_coarse() -> None:
    method = by_model("super-slomo-small")
    assert errors(method, moved()) < 2
    assert errors(method, list(scenes(3, bodies=True))) < 1.5


@pytest.mark.published
@pytest.mark.parametrize(
    ("name", "limit"), [("raft-small", 0.2), ("raft-sintel", 0.2), ("raft-kitti", 0.6), ("rife-4.25", 2)]
)
def test_published_weights_find_a_shift_of_film(name: str, limit: float) -> None:
    assert errors(by_model(str(published_model(name))), moved()) < limit


@pytest.mark.published
@pytest.mark.parametrize("name", ["raft-small", "raft-sintel", "raft-kitti"])
def test_raft_finds_where_bodies_slide(name: str) -> None:
    assert errors(by_model(str(published_model(name))), list(scenes(3, bodies=True))) < 1


def test_opencv_s_dis_sees_both() -> None:
    pytest.importorskip("cv2")
    assert errors(dis, moved()) < 0.5
    assert errors(dis, list(scenes(3, bodies=True))) < 1
