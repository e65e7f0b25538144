"""Drawn film: repeated drawings are merged, with grain and compression on them, and nothing else is."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from vs_interp.filters import drop_repeats, repeats, super_slomo
from vs_interp.filters.repeats import split_pauses

from tests.colour import core

SIZE = 320, 192
RATE = Fraction(24)


def drawing(place: float, mouth: bool = False, shift: int = 0) -> Image.Image:
    """A ball at a place over a background that may be shifted, and a face that may open its mouth."""
    picture = Image.new("L", SIZE, 150)
    pen = ImageDraw.Draw(picture)
    for index in range(-4, 30):
        left = index * 32 + shift
        pen.line((left, 0, left + 60, SIZE[1]), fill=90, width=3)
    pen.ellipse((20 + place, 60, 70 + place, 110), fill=230, outline=10, width=3)
    pen.rectangle((200, 30, 260, 90), fill=200, outline=10, width=2)
    pen.rectangle((222, 70, 238, 78 if mouth else 71), fill=20)
    return picture


def film(pictures: Sequence[Image.Image], grain: float = 3.0, quality: int = 80) -> vs.VideoNode:
    """Frames as a film has them: every one with grain of its own, and compressed by itself."""
    random = np.random.default_rng(5)
    frames: list[NDArray[np.uint8]] = []
    for picture in pictures:
        values = np.asarray(picture, np.float32) + random.normal(0, grain, (SIZE[1], SIZE[0]))
        stored = io.BytesIO()
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(stored, "JPEG", quality=quality)
        frames.append(np.asarray(Image.open(stored)))

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        np.asarray(frame[0])[...] = frames[n]
        return frame

    blank = core.std.BlankClip(format=vs.GRAY8, width=SIZE[0], height=SIZE[1], length=len(frames), fpsnum=24, fpsden=1)
    return blank.std.SetFrameProps(_Range=1).std.ModifyFrame(blank, fill)


def lengths(clip: vs.VideoNode) -> list[int]:
    """Return how many 24ths of a second each frame lasts."""
    found = [Fraction(frame.props["_DurationNum"], frame.props["_DurationDen"]) * RATE for frame in clip.frames()]
    assert all(length.denominator == 1 for length in found)
    return [int(length) for length in found]


@pytest.mark.parametrize("grain", [0, 3, 6])
def test_drawings_on_ones_twos_and_threes_are_counted(grain: float) -> None:
    """Each keeps the time that it had, whatever grain and compression make of its copies."""
    wanted = [2, 2, 2, 3, 3, 1, 1, 1, 2]
    pictures = [drawing(6.0 * index) for index, count in enumerate(wanted) for _ in range(count)]
    assert lengths(drop_repeats(film(pictures, grain))) == wanted


def test_a_mouth_that_opens_is_a_new_drawing() -> None:
    """Seven lines of one block move, and all else is still."""
    pictures = [drawing(0, mouth) for mouth in (False, False, True, True, False, False)]
    assert lengths(drop_repeats(film(pictures))) == [2, 2, 2]


def test_a_camera_that_moves_over_a_held_drawing_leaves_every_frame() -> None:
    assert lengths(drop_repeats(film([drawing(0, shift=2 * index) for index in range(6)]))) == [1] * 6


def test_a_fade_is_not_merged() -> None:
    """A code or two a frame: blocks change by less than grain does, but all of them in one direction."""
    pictures = [drawing(0).point(lambda value, step=step: value * (1 - step / 60)) for step in range(8)]
    assert lengths(drop_repeats(film(pictures))) == [1] * 8


def test_a_pause_stands_and_moves_on_as_drawings_do() -> None:
    """A drawing held for a second does not drift into the next for a second: its last piece lasts as others do."""
    held = [drawing(0)] * 24 + [drawing(6.0 * index) for index in range(1, 5) for _ in range(2)]
    assert lengths(drop_repeats(film(held))) == [22, 2, 2, 2, 2, 2]


def test_made_frames_lie_between_drawings() -> None:
    """On twos at twice the rate, half of all pairs were copies; now every pair is two drawings."""
    pictures = [drawing(6.0 * index) for index in range(5) for _ in range(2)]
    clip = film(pictures, grain=0)
    merged = drop_repeats(clip)
    made = super_slomo(merged, fps=48)
    assert (len(merged), len(made)) == (5, 20)
    first, between = (np.asarray(made.get_frame(number)[0]).astype(int) for number in (0, 2))
    plain = np.asarray(super_slomo(clip, fps=48).get_frame(1)[0]).astype(int)
    assert np.abs(plain - first).mean() < 0.5 < np.abs(between - first).mean()


def test_pauses_are_split_by_what_is_usual() -> None:
    second = [Fraction(1, 24)] * 40
    assert split_pauses([0, 3, 6, 30], second, Fraction(3, 10)) == [0, 3, 6, 27, 30, 37]
    assert split_pauses([0], second, Fraction(3, 10)) == [0, 39]


def test_the_result_is_kept_and_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call reads a few frames; another film or limit is looked at, and a broken file made anew."""
    clip = film([drawing(6.0 * index) for index in range(4) for _ in range(2)])
    assert lengths(drop_repeats(clip, kept=tmp_path)) == [2] * 4
    (file,) = tmp_path.iterdir()
    looked: list[int] = []
    real = repeats.first_frames

    def looking(clip: vs.VideoNode, limit: float) -> Iterator[int]:
        looked.append(len(clip))
        return real(clip, limit)

    monkeypatch.setattr(repeats, "first_frames", looking)
    assert lengths(drop_repeats(clip, kept=tmp_path)) == [2] * 4
    assert looked == []
    assert lengths(drop_repeats(film([drawing(6.0 * index) for index in range(8)]), kept=tmp_path)) == [1] * 8
    drop_repeats(clip, kept=tmp_path, limit=0.011)
    for damaged in ("{", "{}", "[0, 9]", "[2, 4]", "[0, 2, 2]", "[0, [2]]", '"0"'):
        file.write_text(damaged)
        assert lengths(drop_repeats(clip, kept=tmp_path)) == [2] * 4
    assert looked == [8] * 9


def test_a_folder_that_cannot_be_written_costs_another_look_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a pass over a whole film the film is still made."""
    (tmp_path / "file").touch()
    clip = film([drawing(6.0 * index) for index in range(4) for _ in range(2)])
    assert lengths(drop_repeats(clip, kept=tmp_path / "file")) == [2] * 4
    assert "the drawings found cannot be kept in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "size", "props"),
    [
        *((form, SIZE, {}) for form in (vs.YUV411P8, vs.YUV410P8, vs.YUV440P8, vs.GRAYH)),
        *((vs.YUV444P8, SIZE, {"_Matrix": matrix}) for matrix in (0, 10, 14)),
        (vs.YUV420P8, SIZE, {"_FieldBased": 2}),
        (vs.GRAY8, (10, 6), {}),
    ],
)
def test_luma_is_enough(form: int, size: tuple[int, int], props: dict[str, int]) -> None:
    """Formats, sizes and matrices that no network takes: three drawings on twos, of another grey each."""
    blank = core.std.BlankClip(format=form, width=size[0], height=size[1], length=2, fpsnum=24, fpsden=1)
    greys = (0.2, 0.5, 0.8) if blank.format.sample_type == vs.FLOAT else (50, 120, 200)
    others = [blank.format.sample_type == vs.INTEGER and 128] * (blank.format.num_planes - 1)
    clip = core.std.Splice([blank.std.BlankClip(color=[grey, *others], keep=True) for grey in greys])
    assert lengths(drop_repeats(clip.std.SetFrameProps(**props))) == [2, 2, 2]


def test_what_cannot_be_done_is_said() -> None:
    clip = film([drawing(0)] * 3)
    untimed = clip.std.RemoveFrameProps(["_DurationNum", "_DurationDen"]).std.BlankClip(fpsnum=0, fpsden=1, keep=True)
    untimed = untimed.std.RemoveFrameProps(["_DurationNum", "_DurationDen"])
    with pytest.raises(vs.Error, match=r"drop_repeats: frame 0 has no duration"):
        drop_repeats(untimed)
    with pytest.raises(vs.Error, match=r"drop_repeats: limit is 2: it must lie in \(0, 1\]"):
        drop_repeats(clip, limit=2)
    for longest in (0, True, float("inf"), float("nan")):
        with pytest.raises(vs.Error, match=f"drop_repeats: longest is {longest}: it must be seconds above 0"):
            drop_repeats(clip, longest=longest)
    with pytest.raises(vs.Error, match="drop_repeats: kept is True: give a folder"):
        drop_repeats(clip, kept=True)  # type: ignore[arg-type]
    with pytest.raises(vs.Error, match="drop_repeats: the format Gray32 is not supported"):
        drop_repeats(core.std.BlankClip(format=vs.GRAY32))
