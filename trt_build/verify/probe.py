"""One window of test pictures: a mosaic of film, synthetic motion, noise and flat areas.

All contents go through the network in one run, since on a CPU each run of the FP32 graph at a clip's size takes
seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trt_build.backends.film import Pixels, film_frames, fitted
from trt_build.profile import PlaneFormat, Profile
from vs_interp.label_code import CLASSES
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec

COLUMNS, ROWS = 4, 2
SMALL_MOTION, LARGE_MOTION = 1.5, 24
"""Pixels that the texture moves from frame to frame."""
GRAIN = 0.2
"""Amplitude of the noise, of a range of 1."""
FRAMES_APART = 6
"""Step between the frames of film that show a large motion."""


@dataclass(frozen=True)
class Probe:
    """The window's frames, and where each content lies in them.

    frames
        One picture for each offset of the window: channels × height × width, in [0, 1].
    tiles
        Content → its rows and columns.
    """

    frames: Sequence[Pixels]
    tiles: dict[str, tuple[slice, slice]]

    def within(self, limits: tuple[int, int]) -> Probe:
        """Return the probe with its tiles cut at ``limits`` (rows, columns); contents beyond them are left out."""
        cut = {
            content: tuple(slice(tile.start, min(tile.stop, limit)) for tile, limit in zip(tiles, limits, strict=True))
            for content, tiles in self.tiles.items()
        }
        kept = {content: (rows, columns) for content, (rows, columns) in cut.items()
                if rows.start < rows.stop and columns.start < columns.stop}  # fmt: skip
        return replace(self, tiles=kept)


def probe(spec: NetworkSpec, width: int, height: int) -> Probe:
    """Return a window of the given size for a network; it is the same every time."""
    rows = [height * row // ROWS for row in range(ROWS + 1)]
    columns = [width * column // COLUMNS for column in range(COLUMNS + 1)]
    count, channels = len(spec.window.offsets), spec.window.channels
    frames = [np.zeros((channels, height, width), np.float32) for _ in range(count)]
    tiles = {}
    shown = film_frames(1 + (count - 1) * FRAMES_APART)
    for index, (content, make) in enumerate(CONTENTS.items()):
        row, column = divmod(index, COLUMNS)
        tile = slice(rows[row], rows[row + 1]), slice(columns[column], columns[column + 1])
        size = Size(tile[1].stop - tile[1].start, tile[0].stop - tile[0].start)
        for number, frame in enumerate(frames):
            picture = make(number, size, shown)
            picture = picture if channels == 3 else picture.mean(0, keepdims=True)
            frame[:, *tile] = np.rint(picture * (CLASSES - 1)) / 255 if spec.window.labels else picture
        tiles[content] = tile
    return Probe(frames, tiles)


def _grainy(picture: Pixels, seed: int) -> Pixels:
    """Return the picture with strong noise.  It is not noise alone, in which there would be no motion to find."""
    noise = np.random.default_rng(seed).random(picture.shape, np.float32)
    return np.clip(picture + np.float32(GRAIN) * (noise - np.float32(0.5)), 0, 1)


def _texture(size: Size, shift: float) -> Pixels:
    """Return waves of several lengths and directions, moved right by ``shift`` pixels and down by a third of that."""
    y, x = np.mgrid[: size.height, : size.width].astype(np.float32)
    x, y = x - shift, y - shift / 3
    waves = [np.sin(x / 7 + y / 11), np.sin(x / 23 - y / 5), np.sin(x / 3.1) * np.sin(y / 4.3)]
    return (0.5 + 0.16 * np.stack([waves[k] + waves[k - 1] + waves[k - 2] * 0.7 for k in range(3)])).astype(np.float32)


CONTENTS: dict[str, Callable[[int, Size, Sequence[Pixels]], Pixels]] = {
    "film, small motion": lambda number, size, shown: fitted(shown[number], size),
    "film, large motion": lambda number, size, shown: fitted(shown[number * FRAMES_APART % len(shown)], size),
    "film, static": lambda number, size, shown: fitted(shown[0], size),
    "film, grain": lambda number, size, shown: _grainy(fitted(shown[number], size), number),
    "texture, small motion": lambda number, size, shown: _texture(size, number * SMALL_MOTION),
    "texture, large motion": lambda number, size, shown: _texture(size, number * LARGE_MOTION),
    "black": lambda number, size, shown: np.zeros((3, *size.shape), np.float32),
    "white": lambda number, size, shown: np.ones((3, *size.shape), np.float32),
}
"""Content → function that makes a frame of it, 3 × height × width, from its number, the size and frames of film."""


def to_planes(picture: Pixels, profile: Profile) -> list[NDArray[np.generic]]:
    """Return an RGB (or luma) picture as planes of a profile.

    This need not be an exact conversion, since both sides of a comparison take the same planes.
    """
    planes = profile.planes
    if len(picture) == 1:  # luma networks are given all planes of a clip
        picture = np.repeat(picture, 3, 0)
    if planes.family == "rgb":
        return [_codes(plane, planes, chroma=False) for plane in picture]
    luma = np.tensordot(np.array([0.2126, 0.7152, 0.0722], np.float32), picture, 1)
    found = [_codes(luma, planes, chroma=False)]
    if planes.family == "yuv":
        columns, rows = planes.steps
        for colour in (picture[2] - luma, picture[0] - luma):
            found.append(_codes(colour[::rows, ::columns] / 2, planes, chroma=True))
    return found


def _codes(values: NDArray[np.float32], planes: PlaneFormat, *, chroma: bool) -> NDArray[np.generic]:
    scale, offset = planes.levels[chroma]
    if planes.floating:
        return values.astype(planes.dtype)
    return np.clip(np.rint(values * scale + offset), 0, 2**planes.bits - 1).astype(planes.dtype)
