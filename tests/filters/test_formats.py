"""super_slomo in every format: colours of made frames against float64 arithmetic, odd sizes, what frames carry."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from vs_interp.filters import super_slomo
from vs_interp.filters.planes import check_clip, to_rgb

from tests.clips import CPU, clip_of, moving, picture, pictures, same, wave, with_props

core = vs.core

Plane = NDArray[np.float64]


def unit(planes: list[NDArray[Any]], form: vs.VideoFormat) -> list[Plane]:
    """Return planes as fractions of the integer range; float planes as they are."""
    top = 1 if form.sample_type == vs.FLOAT else 2**form.bits_per_sample - 1
    return [plane.astype(np.float64) / top for plane in planes]


def error(got: list[Plane], wanted: list[Plane]) -> float:
    """Return the mean absolute difference, borders left out since the pattern moves in there."""
    inner = [(slice(h // 8, -h // 8), slice(w // 6, -w // 6)) for h, w in (plane.shape for plane in got)]
    return float(np.mean([abs(a - b)[i].mean() for a, b, i in zip(got, wanted, inner, strict=True)]))


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [
        *((name, 96, 64) for name in ("GRAY8", "GRAY16", "GRAYH", "GRAYS", "RGB24", "RGB30", "RGB48", "RGBH", "RGBS")),
        *((name, 96, 64) for name in ("YUV420P8", "YUV420P10", "YUV420P16", "YUV422P8", "YUV422P10")),
        *((name, 96, 64) for name in ("YUV444P8", "YUV444P12", "YUV444PH", "YUV444PS", "YUV420PS")),
        ("RGB24", 97, 65), ("GRAY8", 33, 31), ("YUV444P8", 65, 97), ("YUV420P8", 98, 66), ("YUV420P8", 16, 16),
    ],
)  # fmt: skip
def test_a_made_frame_shows_the_pattern_half_way_in_every_format_and_size(name: str, width: int, height: int) -> None:
    """It is nearer to the true middle than a quarter of a frame's motion, and the source frames are untouched."""
    form = core.get_video_format(int(getattr(vs, name)))
    clip = moving(form.id, (0, 1), width, height)
    made = super_slomo(clip, factor=2, backend=CPU)
    assert (made.format.id, made.width, made.height, len(made)) == (form.id, width, height, 4)
    got, source = pictures(made), pictures(clip)
    assert same(got[0], source[0])
    assert same(got[2], source[1])
    middle = unit(picture(moving(form.id, (0.5,), width, height).get_frame(0)), form)
    motion = error(unit(source[0], form), unit(source[1], form))
    assert error(unit(got[1], form), middle) < motion / 4


@dataclass(frozen=True)
class Bt709:
    """BT.709 YUV in limited range, 8 bits, worked on in float64; chroma of 4:2:0 on the left, by Catmull-Rom."""

    subsampled: bool

    def rgb(self, codes: list[NDArray[np.uint8]]) -> Plane:
        luma = (codes[0].astype(np.float64) - 16) / 219
        blue, red = ((self._enlarged(plane.astype(np.float64)) - 128) / 224 for plane in codes[1:])
        r, b = luma + 1.5748 * red, luma + 1.8556 * blue
        return np.stack([r, (luma - 0.2126 * r - 0.0722 * b) / 0.7152, b])

    def codes(self, rgb: Plane) -> list[Plane]:
        r, g, b = rgb
        luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
        chroma = (224 * (b - luma) / 1.8556 + 128, 224 * (r - luma) / 1.5748 + 128)
        return [219 * luma + 16, *(self._reduced(plane) for plane in chroma)]

    def _enlarged(self, plane: Plane) -> Plane:
        if not self.subsampled:
            return plane
        height, width = plane.shape
        down, across = np.arange(2 * height) / 2 - 0.25, np.arange(2 * width) / 2
        return catmull_rom(down, height, 1) @ plane @ catmull_rom(across, width, 1).T

    def _reduced(self, plane: Plane) -> Plane:
        if not self.subsampled:
            return plane
        height, width = plane.shape
        down, across = 2 * np.arange(height // 2) + 0.5, 2.0 * np.arange(width // 2)
        return catmull_rom(down, height, 2) @ plane @ catmull_rom(across, width, 2).T


def catmull_rom(centres: Plane, samples: int, stretch: int) -> Plane:
    """Return the weights of the samples at the centres; those beyond the border go to the outermost sample."""
    reach = 2 * stretch
    weights = np.zeros((len(centres), samples))
    for row, centre in enumerate(centres):
        for at in range(int(np.floor(centre)) - reach, int(np.floor(centre)) + reach + 2):
            x = abs(at - centre) / stretch
            value = 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0
            weights[row, min(max(at, 0), samples - 1)] += value
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV444P8, vs.RGB24, vs.GRAY8])
def test_made_frames_of_a_still_are_within_a_code_value_of_a_float64_colour_path(form: int) -> None:
    """One pixel differs by one code, so that frames are made; far from it they show the still."""
    still = pictures(moving(form, (0,)))[0]
    speck = [plane.copy() for plane in still]
    speck[0][0, 0] += 1
    clip = clip_of([still, speck], form)
    clip = core.std.SetFrameProps(clip, **({} if form == vs.RGB24 else {"_Matrix": 1, "_Range": 0}))
    made = pictures(super_slomo(clip, factor=2, backend=CPU))[1]
    wanted: list[Any] = list(still)
    if len(still) == 3 and form != vs.RGB24:
        path = Bt709(subsampled=form == vs.YUV420P8)
        wanted = path.codes(path.rgb(still))
    for plane, true in zip(made, wanted, strict=True):
        assert abs(plane.astype(np.float64) - true)[4:-4, 4:-4].max() <= 1


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV444P8])
def test_the_network_is_given_the_true_colours(form: int) -> None:
    """A wrong matrix, range or chroma location would cancel out on the way back, and only spoil what is made."""
    codes = pictures(moving(form, (0,)))[0]
    clip = core.std.SetFrameProps(clip_of([codes, codes], form), _Matrix=1, _Range=0, _ChromaLocation=0)
    given = np.stack(pictures(to_rgb(clip, check_clip(clip)))[0])
    wanted = Bt709(subsampled=form == vs.YUV420P8).rgb(codes)
    assert abs(given - wanted)[:, 8:-8, 8:-8].max() < 1e-5


COLOURS: list[tuple[int, dict[str, int]]] = [
    (vs.YUV420P8, {"_Matrix": 6, "_Primaries": 6, "_Transfer": 6, "_Range": 0, "_ChromaLocation": 1}),
    (vs.YUV420P8, {"_Matrix": 1, "_Primaries": 1, "_Transfer": 1, "_Range": 1, "_ChromaLocation": 0}),
    (vs.YUV420P10, {"_Matrix": 9, "_Primaries": 9, "_Transfer": 16, "_Range": 0, "_ChromaLocation": 2}),
    (vs.YUV422P10, {"_Matrix": 9, "_Primaries": 9, "_Transfer": 18, "_Range": 0, "_ChromaLocation": 0}),
    (vs.RGB24, {"_Matrix": 0, "_Primaries": 9, "_Transfer": 16, "_Range": 0}),
]


@pytest.mark.parametrize(("form", "props"), COLOURS)
def test_colour_is_obeyed_and_carried(form: int, props: dict[str, int]) -> None:
    """A still comes back in its own codes whatever they mean, and made frames say the same of themselves."""
    own = {**props, "_SARNum": 4, "_SARDen": 3, "Word": 7, "_AbsoluteTime": 1.5}
    still = pictures(moving(form, (0,)))[0]
    speck = [plane.copy() for plane in still]
    speck[0][0, 0] += 1
    clip = with_props(clip_of([still, speck], form, Fraction(25)), lambda n: own)
    made = super_slomo(clip, factor=2, backend=CPU)
    frames = list(made.frames())
    wanted = {**own, "_DurationNum": 1, "_DurationDen": 50}
    assert dict(frames[0].props) == wanted
    assert dict(frames[1].props) == {name: value for name, value in wanted.items() if name != "_AbsoluteTime"}
    tolerance = 1 if form in (vs.YUV420P8, vs.RGB24) else 4
    assert all(
        abs(a.astype(int) - b)[4:-4, 4:-4].max() <= tolerance for a, b in zip(picture(frames[1]), still, strict=True)
    )


@pytest.mark.parametrize(("form", "matrix"), [(vs.YUV444P8, 0), (vs.GRAY8, 0), (vs.RGB24, 1), (vs.YUV420P8, 2)])
def test_a_matrix_that_cannot_be_meant_is_replaced_by_the_usual_one(form: int, matrix: int) -> None:
    """Small pictures are BT.601; the property itself stays as it was."""
    shown = [wave(0, 96, 64), wave(1, 96, 64)]
    usual = {} if form == vs.RGB24 else {"matrix": vs.MATRIX_ST170_M}
    plain = core.resize.Bicubic(clip_of(shown, vs.RGBS), format=form, **usual)
    wanted = pictures(super_slomo(plain, factor=2, backend=CPU))
    made = super_slomo(core.std.SetFrameProps(plain, _Matrix=matrix), factor=2, backend=CPU)
    assert all(map(same, pictures(made), wanted))
    assert {frame.props["_Matrix"] for frame in made.frames(close=True)} == {matrix}
