"""Synthetic scenes like CLEVRER's, generated when they are read: bodies that slide over a floor and collide.

Labels (:mod:`vs_interp.label_code`), flow to the next frame, and depth are known exactly.  There are 48 kinds of
bodies, seen obliquely from above without perspective.  They move straight with a little friction, and collide
elastically with equal masses.  Nearer bodies hide those behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError
from vs_interp.label_code import GROUPS, SHAPES, label
from vs_interp.size import Size

from .footage import Box, Footage, Frames

FRAMES = 22
SEQUENCES = {"train": 2_000, "validation": 50, "test": 200}
MOST = 6
"""The most bodies in a scene; the fewest are 3."""
RADIUS = 0.11
"""Radius of a body, in units of which the floor is 2 wide."""

ASLANT = 0.6
"""Foreshortening: height of the floor in the picture, relative to its depth."""

SUBSTEPS, FRICTION = 4, 0.995
"""Steps of the simulation in a frame, and the factor by which velocity falls in a frame."""
COLOURS = np.array(
    ((140, 140, 140), (200, 45, 45), (55, 75, 210), (45, 150, 60), (125, 80, 40), (50, 190, 200), (140, 55, 180),
     (220, 200, 50)), np.float32,
)  # fmt: skip
FLOOR = np.array((172, 172, 176), np.float32)

CUBE, SPHERE = SHAPES.index("cube"), SHAPES.index("sphere")


@dataclass(frozen=True)
class Truth:
    """A frame and its ground truth.

    ``picture`` is H×W×3; ``labels`` H×W; ``flow`` 2×H×W, the motion of visible pixels to the next frame, right and down
    in pixels; ``depth`` H×W, 0 for the floor, then from 1 for the farthest body up to the nearest.
    """

    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    flow: NDArray[np.float32]
    depth: NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """The bodies of a sequence.

    ``looks`` are N×3: shape, material and colour; ``places`` (T+1)×N×2: their positions (x, z) on the floor in every
    frame and one frame later.
    """

    looks: NDArray[np.int64]
    places: NDArray[np.float32]

    @classmethod
    def draw(cls, seed: tuple[int, ...], aspect: float) -> Scene:
        """Return a random scene for a seed, for pictures whose height is ``aspect`` times their width."""
        random = np.random.default_rng(seed)
        count = int(random.integers(3, MOST + 1))
        looks = np.stack([random.integers(number, size=count) for number in GROUPS], 1)
        depth = max(aspect / ASLANT, 4 * RADIUS)
        half = np.array((1, depth), np.float32) - RADIUS
        places = np.zeros((count, 2), np.float32)
        for index in range(count):
            for _ in range(100):
                places[index] = random.uniform(-half, half)
                if index == 0 or np.hypot(*(places[:index] - places[index]).T).min() > 2 * RADIUS:
                    break
        speed = random.uniform(0.0, 0.09, count) * (random.random(count) < 0.75)
        towards = random.uniform(-0.4, 0.4, (count, 2)) * half - places
        towards /= np.maximum(np.hypot(*towards.T), 1e-6)[:, None]
        velocity = (speed[:, None] * towards).astype(np.float32)
        return cls(looks, _moved(places, velocity))


def _moved(places: NDArray[np.float32], velocity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Simulate the motion of bodies, and return their positions in every frame and one frame later."""
    path, places, velocity = [places.copy()], places.copy(), velocity.copy()
    upper = np.triu(np.ones((len(places), len(places)), bool), 1)
    for _ in range(FRAMES * SUBSTEPS):
        places += velocity / SUBSTEPS
        apart = places[:, None] - places[None]
        distance = np.hypot(apart[..., 0], apart[..., 1])
        closing = ((velocity[:, None] - velocity[None]) * apart).sum(2) < 0
        for first, second in zip(*np.nonzero(upper & (distance < 2 * RADIUS) & closing), strict=True):
            normal = apart[first, second] / max(distance[first, second], 1e-6)
            exchanged = ((velocity[first] - velocity[second]) @ normal) * normal
            velocity[first] -= exchanged
            velocity[second] += exchanged
        velocity *= FRICTION ** (1 / SUBSTEPS)
        path.append(places.copy())
    return np.stack(path[::SUBSTEPS])


class ObjectScenes(Footage):
    """Sequences of 22 frames, the same every time.

    ``shown`` is ``"picture"`` or ``"labels"``, which are grey pictures of class numbers.
    """

    def __init__(self, size: Size, split: str, shown: str = "picture") -> None:
        self.width, self.height = size
        self.split, self.shown = split, shown
        self.lengths = (FRAMES,) * SEQUENCES[split]
        if shown == "picture":
            self.labels = ObjectScenes(size, split, "labels")

    def __reduce__(self) -> tuple[type[ObjectScenes], tuple[Size, str, str]]:
        return ObjectScenes, (Size(self.width, self.height), self.split, self.shown)

    def name(self, sequence: int) -> str:
        return f"scene-{self.split}-{sequence}"

    def frame_size(self, sequence: int) -> Size:
        return Size(self.width, self.height)

    def flow(self, sequence: int, number: int) -> NDArray[np.float32]:
        """Return the flow, which is known everywhere."""
        return np.moveaxis(self.truth(sequence, number).flow, 0, 2)

    def truth(self, sequence: int, number: int) -> Truth:
        """Return a frame and its ground truth."""
        seed = sorted(SEQUENCES).index(self.split), sequence
        return render(_scene(seed, self.height / self.width), number, self.height, self.width)

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, height, width = box
        inside = slice(top, top + height), slice(left, left + width)
        truths = [self.truth(sequence, number) for number in numbers]
        if self.shown == "picture":
            return np.stack([truth.picture[inside] for truth in truths])
        return np.stack([np.repeat(truth.labels[inside][..., None], 3, 2) for truth in truths])


@lru_cache(maxsize=64)
def _scene(seed: tuple[int, ...], aspect: float) -> Scene:
    return Scene.draw(seed, aspect)


def render(scene: Scene, number: int, height: int, width: int) -> Truth:
    """Return a frame of a scene with its ground truth; bodies are drawn from the farthest to the nearest."""
    unit = width / 2
    y, x = np.mgrid[:height, :width].astype(np.float32)
    picture = np.broadcast_to(FLOOR - 30 * (1 - y / height)[..., None], (height, width, 3)).copy()
    labels, depth = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    flow = np.zeros((2, height, width), np.float32)
    here, after = (_on_screen(scene.places[at], unit, height, width) for at in (number, number + 1))
    for rank, body in enumerate(np.argsort(scene.places[number, :, 1]), 1):
        shape, material, colour = scene.looks[body].tolist()
        u, v = (x - here[body, 0]) / (RADIUS * unit), (y - here[body, 1]) / (RADIUS * unit)
        shadow = (u / 1.15) ** 2 + ((v + 0.05) / (1.1 * ASLANT)) ** 2 < 1
        picture[shadow & (labels == 0)] *= 0.75
        inside, light = _body(shape, u, v)
        shine = 0.75 * light**4 if material == 0 else 0.12 * light
        shaded = COLOURS[colour] * (0.45 + 0.5 * light)[..., None] + 150 * shine[..., None]
        picture[inside] = shaded[inside]
        labels[inside], depth[inside] = label(shape, material, colour), rank
        flow[:, inside] = (after[body] - here[body])[:, None]
    return Truth(np.rint(picture.clip(0, 255)).astype(np.uint8), labels, flow, depth)


def _on_screen(places: NDArray[np.float32], unit: float, height: int, width: int) -> NDArray[np.float32]:
    """Return the pixel (x, y) of the centre of each body's base: N×2."""
    x = width / 2 + places[:, 0] * unit
    y = height / 2 + places[:, 1] * unit * ASLANT + 0.4 * RADIUS * unit
    return np.stack((x, y), 1).astype(np.float32)


def _body(shape: int, u: NDArray[np.float32], v: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which pixels show a body of radius 1 with the centre of its base at (0, 0), and their light (0 to 1)."""
    if shape == SPHERE:
        w = v + 0.8
        inside = u**2 + w**2 < 1
        return inside, np.clip(0.5 - 0.35 * u - 0.45 * w, 0, 1)
    if shape == CUBE:
        front = (np.abs(u) < 0.8) & (v > -1.05) & (v < 0.45)
        above = (v >= -1.6) & (v <= -1.05) & (np.abs(u - 0.15 * (-1.05 - v)) < 0.8)
        light: NDArray[np.float32] = np.where(above, 0.95, 0.5 - 0.15 * u).astype(np.float32)
        return front | above, light
    # a cylinder
    side = (np.abs(u) < 0.8) & (v > -1.2) & (v < ASLANT * 0.8 * np.sqrt(np.clip(1 - (u / 0.8) ** 2, 0, 1)))
    lid = (u / 0.8) ** 2 + ((v + 1.2) / (ASLANT * 0.8)) ** 2 < 1
    return side | lid, np.where(lid, 0.9, np.clip(0.55 - 0.5 * u, 0, 1)).astype(np.float32)


def parse_size(text: Path) -> Size:
    """Return the size in an address such as ``scenes:240x160``.  Raises :class:`DatasetError` if it is not one."""
    found = re.fullmatch(r"(\d+)x(\d+)", text.name)
    if found is None or min(map(int, found.groups())) < 32:
        raise DatasetError(f"{text} is not a size: give WIDTHxHEIGHT from 32x32 up, such as 240x160")
    return Size(int(found[1]), int(found[2]))
