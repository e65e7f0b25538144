"""flavr: windows of four frames, mirrored ends, cuts inside the window, and what it refuses.

The network is arithmetic here: a picture is a weighted sum of the window's frames, which tells them apart.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters import flavr, super_slomo

from tests.clips import CPU, Noting, clip_of, durations_of, lasting, moving, pictures, same, with_props
from tests.conftest import Exported
from tests.graphs import weighing
from tests.support import ROOT
from trt_build.graphs.memory import streams_that_fit, working_memory
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import BackendError
from vs_interp.spec import NetworkSpec, Output, Window
from vs_interp.weights.catalogue import find

core = vs.core

SPEC = NetworkSpec(
    name="flavr",
    window=Window(offsets=(-1, 0, 1, 2), edge="mirror"),
    output=Output(times=(0.25, 0.5, 0.75)),
    multiple_of=8,
    minimum=16,
    tileable=False,
)
WEIGHTS = np.array([[0.1, 0.6, 0.2, 0.1], [0.05, 0.4, 0.45, 0.1], [0.15, 0.15, 0.6, 0.1]])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weighing(tmp_path_factory.mktemp("models") / "flavr.onnx", SPEC, WEIGHTS.tolist())


def flat(values: list[float]) -> vs.VideoNode:
    """Return a clip of even frames, which are known by their brightness."""
    return clip_of([[np.full((24, 40), value, np.float32)] * 3 for value in values], vs.RGBS)


def levels(clip: vs.VideoNode) -> list[float]:
    """Return the brightness of every frame, which must be even."""
    shown = [np.stack(picture) for picture in pictures(clip)]
    assert all(np.ptp(picture) < 1e-6 for picture in shown)
    return [float(picture.mean()) for picture in shown]


def woven(values: list[float], windows: list[list[float] | None]) -> list[float]:
    """Return the brightness wanted: each source frame, then what its window gives; ``None`` for a repeated gap."""
    wanted = []
    for number, (value, window) in enumerate(zip(values, windows, strict=True)):
        after = values[min(number + 1, len(values) - 1)]
        made = [value, value, after] if window is None else list(WEIGHTS @ window)
        wanted += [value, *made]
    return wanted


def test_every_gap_is_filled_from_four_frames_and_the_ends_are_mirrored(model: Path) -> None:
    """Frame -1 is frame 1, and the frame after the last is the last but one: as NumPy's mode reflect pads."""
    values = [0.30, 0.31, 0.33, 0.36, 0.40]
    padded = np.pad(values, 2, mode="reflect").tolist()
    windows = [padded[number + 1 : number + 5] for number in range(4)]
    noting = Noting()
    got = levels(flavr(flat(values), model=model, backend=noting))
    assert got == pytest.approx(woven(values, [*windows, [values[-1]] * 4]), abs=1e-5)
    assert sorted(noting.runs) == [
        (keys, (0.25, 0.5, 0.75)) for keys in ((0, 1, 2, 3), (1, 0, 1, 2), (1, 2, 3, 4), (2, 3, 4, 3))
    ]


def test_frames_beyond_a_cut_are_replaced_by_the_near_side(model: Path) -> None:
    a, b, c, d, e, f = values = [0.10, 0.11, 0.13, 0.80, 0.82, 0.83]
    windows = [[b, a, b, c], [a, b, c, c], None, [d, d, e, f], [d, e, f, e], [f] * 4]
    got = levels(flavr(flat(values), model=model, backend=CPU))
    assert got == pytest.approx(woven(values, windows), abs=1e-5)


def test_marks_are_of_frames_and_not_of_places_in_a_mirrored_window(model: Path) -> None:
    """Detectors mark frame 0 as the first of a scene; the cut after frame 1 lies between places 2 and 3 only."""
    a, b, c, d = values = [0.30, 0.31, 0.33, 0.36]
    marks: dict[int, dict[str, int]] = {0: {"_SceneChangePrev": 1}, 1: {"_SceneChangeNext": 1}}
    clip = with_props(flat(values), lambda n: marks.get(n, {}))
    windows = [[b, a, b, b], None, [c, c, d, c], [d] * 4]
    assert levels(flavr(clip, model=model, backend=CPU)) == pytest.approx(woven(values, windows), abs=1e-5)


def test_source_frames_are_passed_on_and_durations_divided(model: Path) -> None:
    lasts = [Fraction(1, 10), Fraction(1, 20), Fraction(1, 5), Fraction(1, 20)]
    clip = lasting(moving(vs.YUV420P8), lasts)
    made = flavr(clip, factor=4, model=model, backend=CPU)
    assert len(made) == 16
    assert all(map(same, pictures(made)[::4], pictures(clip)))
    assert durations_of(made) == [each / 4 for each in lasts for _ in range(4)]
    assert [Fraction(24) * 4, Fraction(24) * 4] == [
        flavr(moving(vs.RGB24), factor=factor, model=model, backend=CPU).fps for factor in (4, None)
    ]


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV422P10, vs.RGB24, vs.GRAY16])
@pytest.mark.parametrize("native", [False, True])
def test_at_half_scale_windows_are_small_and_frames_are_not(model: Path, form: int, native: bool) -> None:
    """The pattern is smooth, so that little is lost by half the size."""
    clip = moving(form, width=98, height=66)
    backend = CPU if not native else type(CPU)(threads=2, planes="native")
    small = flavr(clip, model=model, backend=backend, scale=0.5)
    whole = flavr(clip, model=model, backend=CPU)
    assert (small.width, small.height, small.format.id, len(small)) == (98, 66, form, 16)
    top = 2**clip.format.bits_per_sample
    for number, (ours, theirs) in enumerate(zip(pictures(small), pictures(whole), strict=True)):
        assert same(ours, theirs) == (number % 4 == 0 or number > 12)
        assert max(abs(a.astype(float) - b)[8:-8, 8:-8].mean() for a, b in zip(ours, theirs, strict=True)) < top / 100


@pytest.mark.slow
def test_the_true_network_served_equals_pytorch(small_flavr: Exported) -> None:
    """Frames 1, 0, 1, 2 for the first gap, 0, 1, 2, 3 for the second; 72×48 is taken as it is."""
    import torch

    clip = moving(vs.RGBS, width=72, height=48)
    got, source = pictures(flavr(clip, model=small_flavr.path, backend=CPU)), pictures(clip)
    frames = [torch.from_numpy(np.stack(picture))[None] for picture in source]
    for gap, window in enumerate(([1, 0, 1, 2], [0, 1, 2, 3])):
        with torch.no_grad():
            wanted = small_flavr.network(*(frames[number] for number in window)).numpy()
        made = np.array(got[4 * gap + 1 : 4 * gap + 4])
        assert abs(made - wanted).max() < 1e-4


def reason(clip: vs.VideoNode, **arguments: Any) -> str:
    with pytest.raises(vs.Error) as caught:
        flavr(clip, **{"backend": CPU, **arguments})
    name, _, words = str(caught.value).partition(": ")
    assert (name, words.count("\n")) == ("flavr", 0)
    return words


def test_what_flavr_cannot_do_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clip = moving(vs.RGB24)
    assert "the clip has 3 frames only, and flavr looks at 4: give" in reason(clip[:3], model=model)
    assert "factor is 2, and the model makes 3 frames in every gap: give factor=4" in reason(
        clip, factor=2, model=model
    )
    assert "factor is 2.5, and the model" in reason(clip, factor=2.5, model=model)
    for scale in (0, -1, 1.5, "half"):
        assert f"scale is {scale!r}: it must lie in (0, 1]" in reason(clip, model=model, scale=scale)
    assert "scale is 0.125, which leaves 12x8 of the clip: the network needs 16x16 or more" in reason(
        clip, model=model, scale=0.125
    )
    uneven = NetworkSpec(name="uneven", window=SPEC.window, output=Output(times=(0.5, 0.75)))
    odd = weighing(tmp_path / "uneven.onnx", uneven, WEIGHTS[:2].tolist())
    assert "makes frames at uneven times, (0.5, 0.75): choose another" in reason(clip, model=odd)
    with pytest.raises(vs.Error, match=r"is flavr, not super-slomo: call flavr\(\), or name weights of super-slomo"):
        super_slomo(clip, fps=60, model=model, backend=CPU)
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path))
    assert "run `vs-interp weights get flavr-8x --from FLAVR_8x.pth`" in reason(clip, factor=8)


def test_memory_is_estimated_from_the_graph_and_too_little_of_it_is_refused(model: Path) -> None:
    """At its worst moment: four frames, the first picture, four products for the second; and 16 constants."""
    file = ModelFile.load(model)
    frame = 3 * 64 * 48
    assert working_memory(file, 60, 41) == 4 * (9 * frame + 16)
    assert streams_that_fit(file, Profile(width=64, height=48), 3) == 3
    with pytest.raises(BackendError, match=r"flavr at 4000000x2000000 needs at least \d+.\d GiB, and .*scale=0.5"):
        streams_that_fit(file, Profile(width=4_000_000, height=2_000_000), 2)


@pytest.mark.parametrize(("factor", "share"), [(2, 0.6), (4, 0.85)])
def test_the_bundled_network_of_a_factor_beats_blending_on_film(factor: int, share: float) -> None:
    """The squared error against the frames that were dropped is at most this share of blending's."""
    film = core.bs.VideoSource(str(ROOT / "vs_interp/clips/bbb_360p24.mp4"), cachemode=0, showprogress=False)
    true = film.std.CropAbs(256, 192, 192, 96)[: 4 * factor + 1]
    made = [picture[0].astype(float) for picture in pictures(flavr(true[::factor], factor=factor, backend=CPU))]
    wanted = [picture[0].astype(float) for picture in pictures(true)]
    ours, blended = 0.0, 0.0
    for number in range(4 * factor):
        gap, place = divmod(number, factor)
        before, after = wanted[gap * factor], wanted[(gap + 1) * factor]
        ours += ((made[number] - wanted[number]) ** 2).mean()
        blended += ((before + (after - before) * place / factor - wanted[number]) ** 2).mean()
    assert ours < share * blended


@pytest.mark.parametrize(("name", "advice"), [("super-slomo-small", "a smaller clip"), ("fsrcnn-x2", "tiles")])
def test_too_little_memory_names_only_what_the_filter_offers(name: str, advice: str) -> None:
    """super_slomo takes no ``scale=``; upscale takes ``tile=``."""
    file = ModelFile.load(find(name).model_file)
    with pytest.raises(BackendError, match=f"free: use {advice}"):
        streams_that_fit(file, Profile(width=4_000_000, height=2_000_000), 2)
