"""Cuts the reference vectors to what fits into the repository: whole inputs, and the middle of each output.

    python -m tools.cut_reference ../shared/reference

What the published implementations made of weights that anyone can make again (``tests/reference.py``).  A wrong layer
shows in every part of a picture, so that its middle tells as much as all of it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

OURS = Path("tests/data/reference")
LAYOUTS = ("super_slomo", "super_slomo_early_skip", "flavr_2x", "flavr_4x", "flavr_8x")
HEIGHT, WIDTH = 32, 64


def main(shared: Path) -> None:
    """Write a file a network."""
    OURS.mkdir(parents=True, exist_ok=True)
    for name in (*LAYOUTS, "rife_4_6", "rife_4_25"):
        with np.load(shared / f"{name}.npz") as file:
            vectors = {key: file[key] if _is_input(key) else middle(file[key]) for key in file}
        np.savez_compressed(OURS / f"{name}.npz", **vectors)
        if name in LAYOUTS:
            shutil.copy(shared / f"{name}.json", OURS)


def _is_input(key: str) -> bool:
    return key.removeprefix("frame").isdigit()


def middle(picture: np.ndarray) -> np.ndarray:
    """Return the part of a picture that is kept."""
    top, left = (picture.shape[-2] - HEIGHT) // 2, (picture.shape[-1] - WIDTH) // 2
    return picture[..., top : top + HEIGHT, left : left + WIDTH]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
