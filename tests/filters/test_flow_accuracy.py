"""How far optical flow is from the truth where that is known: film that was moved by a shift, and generated scenes.

The limits lie above what `python -m benchmarks.flow` prints, and well below no motion (6.7 and 3.6 pixels).
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.flow import BODIES, FILM, Method, by_model, crops, dis, first_picture, scenes, still
from tests.published import published_model
from tests.support import ROOT

CLIP = str(ROOT / "vs_interp" / "clips" / "bbb_360p24.mp4")


def errors(method: Method, line: str) -> float:
    pairs = list(scenes(3)) if line == BODIES else list(crops(first_picture(CLIP), 3))
    return float(np.mean([pair.errors(*method(pair))[line] for pair in pairs]))


def test_no_motion_is_as_wrong_as_the_motion_is_long() -> None:
    assert errors(still, FILM) == pytest.approx(np.hypot(6, 3))


@pytest.mark.slow
def test_the_bundled_flow_is_coarse() -> None:
    method = by_model("super-slomo-small")
    assert errors(method, FILM) < 2
    assert errors(method, BODIES) < 1.5


@pytest.mark.published
@pytest.mark.parametrize(
    ("name", "limit"), [("raft-small", 0.2), ("raft-sintel", 0.2), ("raft-kitti", 0.6), ("rife-4.25", 2)]
)
def test_published_weights_find_a_shift_of_film(name: str, limit: float) -> None:
    assert errors(by_model(str(published_model(name))), FILM) < limit


@pytest.mark.published
@pytest.mark.parametrize("name", ["raft-small", "raft-sintel", "raft-kitti"])
def test_raft_finds_where_bodies_slide(name: str) -> None:
    assert errors(by_model(str(published_model(name))), BODIES) < 1


def test_opencv_s_dis_sees_both() -> None:
    pytest.importorskip("cv2")
    assert errors(dis, FILM) < 0.5
    assert errors(dis, BODIES) < 1
