"""The methods a model is measured against make the frames of the right moments, and share what is read."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.moving_footage import ANY_TIME, FLAVR, HEIGHT, WIDTH, Moving, film, moved
from vs_interp.evaluation.comparators import COMPARATORS
from vs_interp.evaluation.compare import compare
from vs_interp.evaluation.motion import clip_of, picture_of
from vs_interp.evaluation.tasks import BETWEEN
from vs_interp.spec import NetworkSpec

INTERPOLATORS = COMPARATORS[BETWEEN.name]


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
    clip = clip_of([stretch.picture(place) for place in range(len(stretch.frames))])
    sup = clip.mv.Super(pel=2)
    vectors = [sup.mv.Analyse(isb=isb, blksize=16, overlap=8, search=3) for isb in (True, False)]
    whole = clip.mv.FlowFPS(sup, *vectors, num=60, den=1, mask=2)
    for place, (made,) in enumerate(INTERPOLATORS["mvtools"].method(stretch)):
        assert np.array_equal(made, picture_of(whole, 2 * place + 1))


def test_methods_side_by_side_share_what_is_read() -> None:
    footage = Moving(41)
    methods = {name: INTERPOLATORS[name].method for name in ("blend", "mvtools")}
    rows = compare(film(footage, ANY_TIME), methods, 0, lambda shown: None)
    assert len(rows) == 20 * len(methods)
    assert sorted(footage.reads) == [(0, number) for number in range(41)]
