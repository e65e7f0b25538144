"""Cut the reference vectors to what fits into the repository: inputs as bytes, and the middle of each output.

    python -m tools.cut_reference ../shared

The vectors are outputs of the published implementations with seeded weights (``tests/reference.py``).  A wrong layer
shows everywhere in a picture, so the middle is as good as all of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.datasets.readers import open_footage
from vs_interp.evaluation.material import resized
from vs_interp.size import Size

OURS = Path("tests/data/reference")

MIDDLE = {
    **dict.fromkeys(("super_slomo", "super_slomo_early_skip", "flavr_2x", "flavr_4x", "flavr_8x"), (32, 64)),
    **dict.fromkeys(("rife_4_6", "rife_4_25"), (24, 48)),
    **dict.fromkeys(("raft_small", "raft_large", "raft_small_published", "raft_large_published"), (16, 32)),
    **dict.fromkeys(("simvp_gsta", "simvp_incepu", "simvp_v1", "unet49", "slot_attention"), (16, 32)),
    "simvp_gsta_masks": (8, 16),
    **dict.fromkeys(("slot_attention_set", "perceiver_flow"), (64, 64)),
}
"""Network → height and width of the part of its outputs that is kept."""

WHOLE = ("frame", "frames", "labels", "slots", "noise", "predictions", "out_labels_t025", "out_labels_t95")
"""Inputs and small outputs, which are kept whole."""

LEFT_OUT = ("multi_hot", "flow_x100", "patches")
"""Arrays that can be computed from the others of their file."""


SAME_FRAMES = {"raft_large": "raft_small", "raft_large_published": "raft_small_published"}
"""File → the file with the same frames, which alone keeps them."""


def main(shared: Path) -> None:
    """Write a file for each network, and one of real frames."""
    OURS.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OURS / "flower.npz", **flower(shared / "data/clips/flower_540p30.mp4"))
    shared = shared / "reference"
    for name, (height, width) in MIDDLE.items():
        with np.load(shared / f"{name}.npz") as file:
            arrays = {key: file[key] for key in file if key not in LEFT_OUT}
        if name in SAME_FRAMES:
            arrays = {key: values for key, values in arrays.items() if not key.startswith("frame")}
        kept = {key: as_bytes(a) if is_whole(key) else middle(a, height, width) for key, a in arrays.items()}
        write(shared, name, kept)
    write(shared, "nowcast", nowcast(shared / "nowcast.npz"))


def write(shared: Path, name: str, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write the arrays of a network, and the list of its tensors if its weights are seeded."""
    np.savez_compressed(OURS / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    if (shared / f"{name}.json").is_file():
        (OURS / f"{name}.json").write_bytes((shared / f"{name}.json").read_bytes())


def nowcast(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the first window of a batch, and two of the 24 pictures that were made."""
    with np.load(path) as file:
        made = {f"out0_{kind}": file[f"out0_{kind}"][[0, 23]] for kind in ("alone", "running", "batch", "blurred")}
        return {"window": file["images"][0], "features_t0": file["features_t0"][::8], **made}


def flower(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Return a sharp part of five frames of MDN's flower clip (CC0), reduced four times, and the middle one in full."""
    frames = [
        resized(frame, Size(480, 270))[55:215, 120:360]
        for frame in open_footage(f"video:{path}").frames(0, range(40, 45))
    ]
    return {"small": np.stack([resized(frame, Size(60, 40)) for frame in frames]), "truth": frames[2]}


def is_whole(key: str) -> bool:
    """Return whether an array is kept whole."""
    return key in WHOLE or key.removeprefix("frame").isdigit()


def as_bytes(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return pictures in [0, 1] that came from bytes as these bytes, and anything else unchanged."""
    codes = np.round(values * 255.0) if values.dtype == np.float32 else values
    came_from_bytes = values.dtype == np.float32 and np.abs(codes - values * 255.0).max() < 1e-3
    return codes.astype(np.uint8) if came_from_bytes else values


def middle(picture: NDArray[np.generic], height: int, width: int) -> NDArray[np.generic]:
    """Return the part of a picture that is kept."""
    top, left = (max(0, picture.shape[-2] - height) // 2, max(0, picture.shape[-1] - width) // 2)
    return picture[..., top : top + height, left : left + width]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
