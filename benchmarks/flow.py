"""Measure the error of optical flow on pictures with known flow: shifted film, and generated scenes.

    python -m benchmarks.flow film.mp4 --models raft-small,raft-sintel,rife-4.25,super-slomo-small

Prints a table of mean end-point errors (EPE, in pixels): the least and the largest of six crops of the film's first
frame, and the means of ten scenes, over their bodies and over all pixels.  The models are compared with OpenCV's DIS
(`pip install opencv-python-headless`) and with zero flow.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import av
import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vs_interp import optical_flow
from vs_interp.datasets.object_scenes import ObjectScenes
from vs_interp.matrices import BT601
from vs_interp.size import Size

SHIFT = -6, 3
CROP = Size(256, 160)
SCENE = Size(240, 160)
MIDDLE = 8
"""The frame that is used of each scene, at which the bodies are moving."""

LINES = FILM, BODIES, WHOLE = "crops of film", "bodies of scenes", "whole scenes"

UPDATES = 12

Field = NDArray[np.float32]
Method = Callable[["Known"], tuple[Field, Field]]


class Known(NamedTuple):
    """Two pictures (height × width × 3, 8 bits), the flow between them (2 × height × width, in pixels), and masks.

    ``counted`` has a mask (height × width) of the pixels that count for each line of the table to which the pair adds.
    """

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    flow: Field
    counted: Mapping[str, NDArray[np.bool_]]

    def errors(self, right: Field, down: Field) -> dict[str, float]:
        """Return the mean end-point error of a flow, in pixels, by line of the table."""
        distance = np.hypot(right - self.flow[0], down - self.flow[1])
        return {line: float(distance[mask].mean(dtype=np.float64)) for line, mask in self.counted.items()}


def crops(picture: NDArray[np.uint8], count: int = 6) -> Iterator[Known]:
    """Yield random crops of a picture, each with the crop shifted by SHIFT; pixels that leave the crop do not count."""
    right, down = SHIFT
    height, width = picture.shape[:2]
    places = np.random.default_rng(1).uniform(size=(count, 2))
    flow = np.broadcast_to(np.float32(SHIFT)[:, None, None], (2, CROP.height, CROP.width))
    y, x = np.mgrid[: CROP.height, : CROP.width]
    stays = (x + right >= 0) & (x + right < CROP.width) & (y + down >= 0) & (y + down < CROP.height)
    for across, along in places:
        left = abs(right) + int(across * (width - CROP.width - 2 * abs(right)))
        top = abs(down) + int(along * (height - CROP.height - 2 * abs(down)))
        first, second = (
            picture[t : t + CROP.height, s : s + CROP.width] for t, s in ((top, left), (top - down, left - right))
        )
        yield Known(first, second, flow, {FILM: stays})


def scenes(count: int = 10) -> Iterator[Known]:
    """Yield pairs of frames of the test scenes."""
    footage = ObjectScenes(SCENE, "test")
    for number in range(count):
        here, after = (footage.truth(number, frame) for frame in (MIDDLE, MIDDLE + 1))
        counted = {BODIES: here.labels > 0, WHOLE: np.ones_like(here.labels, bool)}
        yield Known(here.picture, after.picture, here.flow, counted)


def by_model(model: str) -> Method:
    """Return the method that computes flow with a model through the filter ``optical_flow``."""

    def estimate(known: Known) -> tuple[Field, Field]:
        height, width = known.first.shape[:2]
        blank = vs.core.std.BlankClip(format=vs.RGB24, width=width, height=height, length=2, keep=True)

        def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
            frame = f.copy()
            for plane in range(3):
                np.copyto(np.asarray(frame[plane]), known[n][..., plane])
            return frame

        clip = vs.core.std.ModifyFrame(blank, blank, fill)
        updates = UPDATES if "raft" in model else None
        flow = optical_flow(clip, model=model, updates=updates, backend="openvino", scene_threshold=None)
        with flow.right.get_frame(0) as right, flow.down.get_frame(0) as down:
            return np.array(right[0]), np.array(down[0])

    return estimate


def dis(known: Known) -> tuple[Field, Field]:
    """Return the flow by OpenCV's Dense Inverse Search (Kroeger et al. 2016, arXiv:1603.03590)."""
    import cv2

    grey = [np.round(picture @ np.array(BT601)).astype(np.uint8) for picture in known[:2]]
    search: Any = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = search.calc(*grey, None)
    return flow[..., 0], flow[..., 1]


def still(known: Known) -> tuple[Field, Field]:
    """Return zero flow."""
    nothing = np.zeros(known.first.shape[:2], np.float32)
    return nothing, nothing


def first_picture(path: str) -> NDArray[np.uint8]:
    """Return the first frame of a film as RGB."""
    with av.open(path) as film:
        return next(film.decode(video=0)).to_ndarray(format="rgb24")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film")
    parser.add_argument("--models", default="raft-small,super-slomo-small")
    arguments = parser.parse_args()
    methods: dict[str, Method] = {name: by_model(name) for name in arguments.models.split(",")}
    methods |= {"OpenCV's DIS": dis, "no motion": still}
    pairs = [*crops(first_picture(arguments.film)), *scenes()]
    print(f"| | {' | '.join(LINES)} |\n|{'---|' * (len(LINES) + 1)}")
    for name, method in methods.items():
        found = [pair.errors(*method(pair)) for pair in pairs]
        film, bodies, whole = ([each[line] for each in found if line in each] for line in LINES)
        print(
            f"| {name} | {min(film):.3f}–{max(film):.3f} | {np.mean(bodies):.3f} | {np.mean(whole):.3f} |", flush=True
        )


if __name__ == "__main__":
    main()
