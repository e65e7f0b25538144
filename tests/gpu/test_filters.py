"""Every filter on a GPU gives the pictures of the CPU path, to one code, in whatever order frames are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from .cases import CASES, Case, pictures, source, stored
from .conftest import Runtime

TOLERANCE = 1
"""Codes of 8 bits a filter: half precision, and chroma that the CPU path resamples by ``resize``."""

SEVERAL_STREAMS = ("super-slomo, factor 8", "flavr, factor 4", "fsrcnn, in tiles", "two filters")


LIGHT = ("super-slomo, factor 2", "fsrcnn", "fsrcnn, in tiles", "two filters")
"""What does not take long on a CPU."""


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] * (name not in LIGHT) + [pytest.mark.published] * bool(CASES[name].weights)


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in CASES])
def test_a_filter_makes_the_pictures_of_the_cpu_path(runtime: Runtime, name: str) -> None:
    check(CASES[name], name, runtime, streams=1)


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in SEVERAL_STREAMS])
def test_several_streams_make_the_same_pictures(runtime: Runtime, name: str) -> None:
    """With state and without, tiles, and two filters in one script."""
    check(CASES[name], name, runtime, streams=3)


@pytest.mark.parametrize(("name", "least"), [("super-slomo, factor 2", 128), ("fsrcnn", 64)])
def test_an_engine_of_many_sizes_makes_the_same_pictures(runtime: Runtime, name: str, least: int) -> None:
    """With state and without: frames are padded outside of the engine here."""
    check(CASES[name], name, runtime, streams=2, dynamic=((least, least), (256, 128), (512, 256)))


def check(case: Case, name: str, runtime: Runtime, **options: object) -> None:
    """Ask for all frames in random order and compare those that the filter made."""
    if case.lacks:
        pytest.skip(case.lacks)
    clip = case.make(source(case.form), runtime.backend(**options))
    order = np.random.default_rng(len(clip)).permutation(len(clip))
    asked = {int(number): clip.get_frame_async(int(number)) for number in order}
    frames = {number: pictures(future.result()) for number, future in asked.items()}
    for place, number in enumerate(case.made):
        worst = [furthest(plane, stored()[f"{name}/{index}"][place]) for index, plane in enumerate(frames[number])]
        limit = case.filters * TOLERANCE << (2 if case.form.endswith("P10") else 0)
        assert max(worst) <= limit, f"frame {number}: {worst} codes off"


def furthest(made: NDArray[Any], wanted: NDArray[Any]) -> int:
    return int(np.abs(made.astype(int) - wanted).max())
