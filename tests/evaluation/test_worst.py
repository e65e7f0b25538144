"""What sheet and page show: the worst pictures, not one next to the other, in the format that the name says."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluating import evaluate
from tests.moving_footage import moved
from vs_interp.datasets.runs import frame_name, run_name
from vs_interp.errors import ArgumentError
from vs_interp.evaluation.sheet import check_format, sheet
from vs_interp.evaluation.worst import SHARE, Worst


@pytest.fixture(scope="module")
def worst(tmp_path_factory: pytest.TempPathFactory) -> Worst:
    """Of a film of 25 pictures, in which frame 11 is white, and frame 13 nearly so."""
    folder = tmp_path_factory.mktemp("film")
    for number in range(25):
        whiter = {11: 1.0, 13: 0.5}.get(number, 0.0)
        picture = moved(number) * (1 - whiter) + 255 * whiter
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number}.png")
    found = Worst(most=2)
    evaluate("super-slomo-small", folder, against=["blend"], watch=found.see)
    return found


def test_the_worst_comes_first_and_its_neighbours_are_left_out(worst: Worst) -> None:
    frames = [int(case.title.rsplit(" ", 1)[1]) for case in worst.cases]
    assert frames[0] == 11 and len(frames) == 2
    assert frames[1] // SHARE != 11 // SHARE
    case = worst.cases[0]
    assert list(case.versions) == ["before", "after", "super-slomo-small", "blend", "truth"]
    assert np.array_equal(np.asarray(case.picture("before")), moved(10)), "without loss"
    assert "dB" in case.scores["blend"]


def test_frames_are_named_by_their_numbers_in_the_film() -> None:
    assert frame_name(run_name("film.mkv", 52), 3) == "film.mkv, frame 55"
    assert frame_name("00001/0389", 3) == "00001/0389, frame 3"


@pytest.mark.parametrize(("name", "form"), [("worst.png", "PNG"), ("worst.jpg", "JPEG"), ("WORST.JPEG", "JPEG")])
def test_a_sheet_is_of_the_format_that_its_name_says(name: str, form: str, worst: Worst) -> None:
    check_format(Path(name))
    with Image.open(io.BytesIO(sheet(worst.cases, Path(name)))) as picture:
        assert picture.format == form
        assert np.asarray(picture).std() > 20
    with pytest.raises(ArgumentError, match=r"name a file that ends in \.png or \.jpg"):
        check_format(Path("worst.webp"))
