"""Films and pictures as people have them: which sequences they become, and what is said of those that will not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.moving_footage import moved
from tests.video import make_interlaced, make_video
from vs_interp.datasets.plain import open_material
from vs_interp.datasets.video_footage import VideoFootage
from vs_interp.errors import DatasetError


def test_a_folder_is_one_sequence_or_as_many_stills(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        Image.fromarray(moved(number)).save(tmp_path / f"{number}.png")
    film = open_material(str(tmp_path), "test", stills=False)
    assert film.lengths == (3,)
    assert np.array_equal(film.frames(0, [2])[0], moved(10)), "2 comes before 10"
    assert open_material(str(tmp_path), "test", stills=True).lengths == (1, 1, 1)


def test_folders_below_are_sequences(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(moved(number)).save(tmp_path / name / f"{number}.png")
    film = open_material(str(tmp_path), "test", stills=False)
    assert [film.name(sequence) for sequence in range(2)] == ["a", "b"]


def test_a_long_film_is_seen_in_excerpts_of_equal_shares(tmp_path: Path) -> None:
    """Eight seconds in two excerpts of one: from 1.5 to 2.5 and from 5.5 to 6.5 s, frame for frame."""
    path = make_video(tmp_path / "film.mp4", rate="25", frames=200)
    whole, parts = VideoFootage(path), VideoFootage(path, excerpts=(2, 1.0))
    assert whole.lengths == (200,) and parts.lengths == (25, 25)
    starts = [next(n for n in range(200) if np.array_equal(whole.planes(0)[n], parts.planes(s)[0])) for s in range(2)]
    assert starts == [38, 138], "the first frames at 1.5 and 5.5 s or later"
    assert VideoFootage(path, excerpts=(10, 3.0)).lengths == (200,), "shorter than its excerpts: whole"


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.mp4", "there is no .*none.mp4: name a video file"), ("words.txt", "is not a video file")],
)
def test_what_is_no_film_is_said(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words")
    with pytest.raises(DatasetError, match=message):
        open_material(str(tmp_path / name), "test", stills=False)


def test_interlaced_film_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is interlaced: deinterlace"):
        open_material(str(make_interlaced(tmp_path / "in.ts")), "test", stills=False)
