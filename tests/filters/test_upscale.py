"""upscale: luma and chroma in every format, windows and cuts, tiles without seams, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from hypothesis import given, settings
from hypothesis import strategies as st
from vs_interp.filters import upscale
from vs_interp.filters.tiles import tiling

from tests.clips import CPU, Noting, clip_of, durations_of, lasting, moving, pictures, same, with_props
from tests.graphs import convolving, weighing
from tests.reference import vectors
from tests.support import ROOT
from trt_build.backends import OpenVINO
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, PlaneFormat, Profile
from vs_interp.metrics import psnr
from vs_interp.spec import NetworkSpec, Output, Window

core = vs.core

MODELS = ROOT / "vs_interp/models"
LUMA = NetworkSpec(name="luma", window=Window(offsets=(0,), channels=1), output=Output(channels=1, times=(0,), scale=2))
COLOUR = NetworkSpec(name="colour", window=Window(offsets=(0,)), output=Output(times=(0,), scale=2))
REFINER = replace(COLOUR, name="refiner", window=Window(offsets=(-2, -1, 0, 1, 2), edge="mirror"))
WEIGHTS = np.array([0.1, 0.15, 0.4, 0.3, 0.05])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def doubling(folder: Path) -> Path:
    """A luma network that shows every pixel twice, in both directions."""
    return weighing(folder / "doubling.onnx", LUMA, [[1]])


@pytest.fixture(scope="module")
def refiner(folder: Path) -> Path:
    return weighing(folder / "refiner.onnx", REFINER, [WEIGHTS.tolist()])


def noise(form: int, width: int, height: int, frames: int = 2) -> vs.VideoNode:
    """Return a clip of smooth random planes in the middle half of the range."""
    random = np.random.default_rng(3)
    video = core.get_video_format(form)
    coarse = [[random.random((6, 8), np.float32) / 2 + 0.25 for _ in range(3)] for _ in range(frames)]
    small = clip_of(coarse, vs.RGBS)
    matrix = {} if video.color_family == vs.RGB else {"matrix": vs.MATRIX_BT709}
    return core.resize.Bicubic(small, width, height, format=form, **matrix)


def catmull_rom(centre: float, samples: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the weights of the samples for a value between them (b = 0, c = 1/2)."""
    x = abs(np.arange(samples) - centre)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


@pytest.mark.parametrize("location", [0, 1, 2])
@pytest.mark.parametrize("native", [False, True])
def test_luma_goes_through_the_network_and_chroma_keeps_its_place(doubling: Path, location: int, native: bool) -> None:
    """Chroma sample k stands at luma 2k (+ 1/2 where centred), in the small picture as in the large: in float64."""
    clip = with_props(noise(vs.YUV420P8, 64, 48), lambda n: {"_ChromaLocation": location})
    backend = OpenVINO(threads=2, planes="native" if native else "rgb")
    for got, source in zip(pictures(upscale(clip, model=doubling, backend=backend)), pictures(clip), strict=True):
        assert np.array_equal(got[0], np.kron(source[0], np.ones((2, 2))))
        across = 0.5 if location == 1 else 0  # luma columns right of 2k
        down = 0 if location == 2 else 0.5
        for plane, small in zip(got[1:], source[1:], strict=True):
            ways = []
            for shift, samples in ((down, small.shape[0]), (across, small.shape[1])):
                luma = (2 * np.arange(2 * samples) + shift + 0.5) / 2 - 0.5  # where they stand in the small picture
                ways.append(np.array([catmull_rom((at - shift) / 2, samples) for at in luma]))
            wanted = ways[0] @ small @ ways[1].T
            assert abs(plane - wanted)[4:-4, 4:-4].max() <= 0.51 + 0.02


@pytest.mark.parametrize(
    ("name", "width", "height"),
    [("GRAY8", 33, 31), ("GRAY16", 32, 32), ("GRAYS", 32, 32), ("RGB24", 49, 33), ("RGBH", 32, 32), ("RGBS", 32, 32),
     ("YUV420P8", 50, 34), ("YUV420P10", 32, 32), ("YUV422P16", 32, 32), ("YUV444P8", 33, 49), ("YUV444PS", 32, 32)],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["fsrcnn", "colour"])
def test_the_picture_is_the_same_in_every_format_and_size(
    folder: Path, name: str, width: int, height: int, kind: str
) -> None:
    """Smooth content at twice its size is what Catmull-Rom makes of it, for luma networks and for those of RGB."""
    form = int(getattr(vs, name))
    clip = noise(form, width, height)
    model = None if kind == "fsrcnn" else convolving(folder / "colour.onnx", COLOUR, 1)
    made = upscale(clip, model=model, backend=CPU)
    assert (made.format.id, made.width, made.height, len(made), made.fps) == (form, 2 * width, 2 * height, 2, clip.fps)
    top = 1 if clip.format.sample_type == vs.FLOAT else 2**clip.format.bits_per_sample
    wanted = core.resize.Bicubic(clip, 2 * width, 2 * height)
    for got, smooth in zip(pictures(made), pictures(wanted), strict=True):
        for a, b in zip(got, smooth, strict=True):
            assert abs(a.astype(float) - b)[8:-8, 8:-8].mean() < top / 120


def test_properties_durations_and_the_shape_of_pixels_stay() -> None:
    own = {
        "_Matrix": 6,
        "_Range": 1,
        "_ChromaLocation": 1,
        "_SARNum": 4,
        "_SARDen": 3,
        "Word": 7,
        "_SceneChangePrev": 1,
    }
    lasts = [Fraction(1, 10), Fraction(1, 20), Fraction(1, 5), Fraction(1, 20)]
    clip = with_props(lasting(moving(vs.YUV420P8), lasts), lambda n: own)
    made = upscale(clip, backend=CPU)
    for ours, theirs in zip(made.frames(), clip.frames(), strict=True):
        assert dict(ours.props) == dict(theirs.props)
    assert durations_of(made) == lasts
    assert made.fps == 0


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bundled_network_of_a_scale_beats_bicubic_on_film(scale: int) -> None:
    film = core.bs.VideoSource(str(ROOT / "vs_interp/clips/bbb_360p24.mp4"), cachemode=0, showprogress=False)[20]
    whole = core.resize.Bicubic(film.std.CropAbs(240, 240, 200, 60), format=vs.GRAYS)
    small = core.resize.Bicubic(whole, 240 // scale, 240 // scale)
    true = pictures(whole)[0][0]
    ours, plain = (
        ((pictures(made)[0][0] - true)[8:-8, 8:-8] ** 2).mean()
        for made in (upscale(small, scale=scale, backend=CPU), core.resize.Bicubic(small, 240, 240))
    )
    assert ours < 0.95 * plain


def test_a_refiner_sees_neighbours_mirrored_ends_and_nothing_beyond_a_cut(refiner: Path) -> None:
    """Equal frames are no reason to leave one out: every frame is made."""
    a, b, c, d, e, f, g = values = [0.10, 0.11, 0.11, 0.13, 0.80, 0.82, 0.83]
    clip = clip_of([[np.full((24, 40), value, np.float32)] * 3 for value in values], vs.RGBS)
    noting = Noting()
    got = [picture[0] for picture in pictures(upscale(clip, model=refiner, backend=noting))]
    windows = [
        [c, b, a, b, c], [b, a, b, c, d], [a, b, c, d, d], [b, c, d, d, d],
        [e, e, e, f, g], [e, e, f, g, f], [e, f, g, f, e],
    ]  # fmt: skip
    assert [shown.shape for shown in got] == [(48, 80)] * 7
    assert [shown.mean() for shown in got] == pytest.approx([float(WEIGHTS @ window) for window in windows], abs=1e-5)
    assert len(noting.runs) == 7


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.GRAY16, vs.RGB24, vs.YUV422P10])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("kind", ["luma", "colour"])
def test_tiles_leave_no_seams(folder: Path, form: int, native: bool, kind: str) -> None:
    """Whole frames and tiles differ by a code value at most; the tiles do not divide the size."""
    random = np.random.default_rng(1)
    video = core.get_video_format(form)
    width, height = 150, 106
    base = clip_of([[random.random((height, width), np.float32) for _ in range(3)]], vs.RGBS)
    clip = core.resize.Point(base, format=form, **({} if video.color_family == vs.RGB else {"matrix": 1}))
    model = convolving(folder / f"{kind}9.onnx", LUMA if kind == "luma" else COLOUR, 9)
    backend = OpenVINO(threads=2, planes="native" if native else "rgb")
    whole, tiled = (pictures(upscale(clip, model=model, tile=tile, backend=backend))[0] for tile in (None, 64))
    assert all(abs(a.astype(int) - b).max() <= 1 for a, b in zip(whole, tiled, strict=True))


@given(width=st.integers(16, 900), height=st.integers(16, 900), tile=st.integers(18, 300), chroma=st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_tiles_cover_a_picture_once_and_see_their_overlap(width: int, height: int, tile: int, chroma: bool) -> None:
    planes = PlaneFormat(family="yuv", subsampling=(1, 1)) if chroma else GRAYS
    overlap, step = (16, 2) if chroma else (8, 1)
    whole = Profile(width=width * step, height=height * step, planes=planes)
    tiles = tiling(ModelFile.load(MODELS / "fsrcnn-x2.onnx"), whole, tile + 2 * overlap, None)
    for length, side, parts in (
        (whole.width, tiles.width, tiles.columns), (whole.height, tiles.height, tiles.rows)
    ):  # fmt: skip
        assert side <= min(length, tile + 2 * overlap)
        assert [part.first for part in parts] == [0, *(part.last for part in parts[:-1])]
        assert parts[-1].last == length
        for part in parts:
            assert part.start % step == 0
            assert 0 <= part.start <= part.first < part.last <= part.start + side <= length
            assert part.start == 0 or part.first - part.start >= overlap
            assert part.last == length or part.start + side - part.last >= overlap


def test_tiles_of_a_window_are_those_of_the_same_place(refiner: Path) -> None:
    clip = moving(vs.YUV420P8, range(6), 128, 80)
    whole, tiled = (pictures(upscale(clip, model=refiner, tile=tile, backend=CPU)) for tile in (None, 48))
    assert all(map(same, whole, tiled))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_even_picture_stays_even_to_its_edges(scale: int) -> None:
    """What lies around a picture is not black: the outermost lines and columns are as bright as the others."""
    clip = core.std.BlankClip(format=vs.GRAY8, width=64, height=48, length=1, color=160)
    (made,) = pictures(upscale(clip, scale=scale, backend=CPU))[0]
    assert made.shape == (48 * scale, 64 * scale)
    assert np.abs(made.astype(int) - 160).max() <= 2


@pytest.mark.slow
def test_five_parallel_is_nearer_to_real_frames_than_fsrcnn_alone() -> None:
    """A sharp part of a real clip at a quarter of its size: 0.1 dB and more above FSRCNN (soft ones lose as much)."""
    known = vectors("flower")
    clip = clip_of([np.moveaxis(frame, 2, 0) for frame in known["small"]], vs.RGB24)
    refined, alone = (
        np.dstack(pictures(upscale(clip, scale=4, model=model, backend=CPU))[2])
        for model in ("fsrcnn+five-parallel", "fsrcnn")
    )
    inner = known["truth"][4:-4, 4:-4]
    assert psnr(refined[4:-4, 4:-4], inner) > psnr(alone[4:-4, 4:-4], inner) + 0.1


def reason(clip: Any, **arguments: Any) -> str:
    with pytest.raises(vs.Error) as caught:
        upscale(clip, **{"backend": CPU, **arguments})
    name, _, words = str(caught.value).partition(": ")
    assert (name, words.count("\n")) == ("upscale", 0)
    return words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scale": 5}, "no weights of fsrcnn with scale 5 are known to vs-interp: give a model file, or a name"),
        ({"scale": 2.5}, "scale is 2.5: it must be a whole number from 1 up, such as 2, 3 or 4"),
        ({"scale": True}, "scale is True: it must be a whole number"),
        ({"scale": 2, "model": "fsrcnn-x3"}, "scale is 2, and the model enlarges by 3: give scale=3, or another"),
        ({"model": "super-slomo-small"}, "super-slomo makes frames between frames: choose one that enlarges them"),
        ({"model": "fsrcnn-x5"}, "there is no model file fsrcnn-x5: did you mean fsrcnn-x"),
        ({"model": 5}, "model is 5: give a path, or a name"),
        ({"overlap": 16}, "overlap is 16, and there are no tiles: give tile= too"),
        ({"tile": 16}, "tile is 16, and 8 pixels on each side of one only serve its neighbours: give 64 or more"),
        ({"tile": -64}, "tile is -64: it must be a whole number from 1 up, such as 512"),
        ({"tile": 64, "overlap": 7}, "overlap is 7, and fsrcnn looks 8 pixels to each side: give 8 or more, or none"),
        ({"tile": 80, "overlap": 40}, "tile is 80, and 40 pixels on each side of one"),
        ({"scene_threshold": 2}, "scene_threshold is 2: it must lie in"),
    ],
)
def test_what_upscale_cannot_do_is_refused(arguments: dict[str, Any], words: str) -> None:
    assert words in reason(moving(vs.YUV420P8), **arguments)


def test_clips_and_models_that_do_not_fit_are_refused(folder: Path, refiner: Path) -> None:
    clip = moving(vs.YUV420P8)
    assert "the clip has 4 frames only, and refiner looks at 5: give" in reason(clip, model=refiner)
    assert "frame 0 is interlaced" in reason(core.std.SetFieldBased(clip, 1))
    whole = weighing(folder / "whole.onnx", replace(COLOUR, name="whole", tileable=False), [[1]])
    assert "tile is 64, and whole looks at the whole picture: leave tile= out" in reason(clip, model=whole, tile=64)
    steps = weighing(folder / "steps.onnx", replace(COLOUR, multiple_of=8), [[1]])
    assert "cannot be tiled, only multiples of 8: crop" in reason(
        moving(vs.RGB24, width=100, height=100), model=steps, tile=64
    )


def test_one_frame_is_enough_for_a_network_of_one() -> None:
    made = upscale(moving(vs.YUV420P8)[0], backend=CPU)
    assert (len(made), made.width, made.height) == (1, 192, 128)
