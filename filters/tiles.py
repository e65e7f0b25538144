"""Tiles: pictures worked on in overlapping parts of one size, so that memory does not grow with the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import lcm

import numpy as np

from trt_build.backends import Picture, Session
from trt_build.graphs.receptive_field import receptive_radius
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec

CHROMA_REACH = 8
"""Pixels to each side that chroma resampling needs, in sessions that take subsampled planes."""


@dataclass(frozen=True)
class Part:
    """A tile along one axis: it begins at ``start``; of its result, ``first`` up to ``last`` is kept."""

    start: int
    first: int
    last: int


@dataclass(frozen=True)
class Tiling:
    """Tiles of ``width``×``height`` pixels that cover a picture; each pixel is taken from exactly one tile."""

    width: int
    height: int
    rows: Sequence[Part]
    columns: Sequence[Part]


def tiling(model: ModelFile, whole: Profile, tile: int, overlap: int | None) -> Tiling:
    """Return tiles of at most ``tile``×``tile`` pixels for a whole picture, each overlapping its neighbours.

    ``overlap`` is in pixels on each side; ``None`` takes the network's receptive radius, which leaves no seams.
    Raises :class:`ArgumentError` for networks that look at the whole picture, for an overlap that would leave seams,
    and for tiles too small for it.
    """
    spec, needed = model.spec, receptive_radius(model)
    if needed is None:
        raise ArgumentError(
            f"tile is {tile}, and {spec.name} looks at the whole picture: leave tile= out, or shrink the clip"
        )
    needed += CHROMA_REACH if whole.planes.subsampling != (0, 0) else 0
    if overlap is None:
        overlap = needed
    if not isinstance(overlap, int) or overlap < needed:
        raise ArgumentError(
            f"overlap is {overlap}, and {spec.name} looks {needed} pixels to each side: give {needed} or more, or none"
        )
    steps = [lcm(step, spec.multiple_of) for step in whole.planes.steps]
    parts = [
        _parts(length, tile, -(-overlap // step) * step, step)
        for length, step in ((whole.width, steps[0]), (whole.height, steps[1]))
    ]
    return Tiling(parts[0][0], parts[1][0], parts[1][1], parts[0][1])


def _parts(length: int, tile: int, overlap: int, step: int) -> tuple[int, list[Part]]:
    """Return the length of all tiles along an axis, at most ``tile``, and where they lie.

    All starts are multiples of ``step``.
    """
    if not isinstance(tile, int) or tile - 2 * overlap < step:
        raise ArgumentError(
            f"tile is {tile}, and {overlap} pixels on each side of one only serve its neighbours: "
            f"give {max(64, 4 * overlap)} or more"
        )
    if tile >= length:
        return length, [Part(0, 0, length)]
    if length % step:
        raise ArgumentError(f"{length} lines or columns cannot be tiled, only multiples of {step}: crop the clip")
    count = -(-(length - 2 * overlap) // (tile // step * step - 2 * overlap))
    tile = -(-(length - 2 * overlap) // (count * step)) * step + 2 * overlap
    starts = [*range(0, length - tile, tile - 2 * overlap), length - tile]
    ends = [*(start + tile - overlap for start in starts[:-1]), length]
    return tile, [Part(start, first, last) for start, first, last in zip(starts, [0, *ends], ends, strict=False)]


@dataclass(frozen=True)
class _Cut:
    """Where a tile lies in one plane: in the frame, and what is kept of it in the tile made and in the picture."""

    seen: tuple[slice, slice]
    made: tuple[slice, slice]
    kept: tuple[slice, slice]


class TiledSession:
    """A session for whole pictures that passes them to another session tile by tile.

    See :class:`~trt_build.backends.base.Session`.
    """

    def __init__(self, session: Session, tiling: Tiling, planes: PlaneFormat, spec: NetworkSpec) -> None:
        self._session = session
        scale, (columns, rows) = spec.output.scale, planes.steps
        steps = [(1, 1), (rows, columns), (rows, columns)][: planes.planes]
        self._tiles = [
            [_cut(tiling, parts, step, scale) for step in steps] for parts in product(tiling.rows, tiling.columns)
        ]
        sizes = Profile(width=tiling.width * scale, height=tiling.height * scale, planes=planes).plane_sizes
        self._made = [[np.empty(size, planes.dtype) for size in sizes] for _ in range(spec.pictures)]

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """Fill ``out`` tile by tile."""
        for number, cuts in enumerate(self._tiles):
            seen = [[plane[cut.seen] for plane, cut in zip(picture, cuts, strict=True)] for picture in window]
            numbered = [key * len(self._tiles) + number for key in keys]
            self._session.run(seen, numbered, times, self._made[: len(out)])
            for picture, whole in zip(self._made, out, strict=False):
                for made, plane, cut in zip(picture, whole, cuts, strict=True):
                    plane[cut.kept] = made[cut.made]


def _cut(tiling: Tiling, parts: tuple[Part, Part], steps: tuple[int, int], scale: int) -> _Cut:
    """Return where the tile at ``parts`` (rows, columns) lies in a plane of which a sample stands for ``steps``."""
    sizes = tiling.height, tiling.width
    seen = [
        slice(part.start // step, (part.start + size) // step)
        for part, size, step in zip(parts, sizes, steps, strict=True)
    ]
    kept = [
        slice(part.first * scale // step, part.last * scale // step) for part, step in zip(parts, steps, strict=True)
    ]
    starts = [part.start * scale // step for part, step in zip(parts, steps, strict=True)]
    made = [slice(whole.start - start, whole.stop - start) for whole, start in zip(kept, starts, strict=True)]
    return _Cut((seen[0], seen[1]), (made[0], made[1]), (kept[0], kept[1]))
