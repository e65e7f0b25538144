"""Make the reference pictures of RIFE with the layers of vs-rife, in float64.

    pip download --no-deps vsrife==5.7.0 && unzip vsrife-5.7.0-py3-none-any.whl -d vsrife
    python -m tools.rife_reference vsrife/vsrife

The weights are seeded (``tests/rife.py``), so that tests can compare without downloading any.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from tests.rife import CASES, Case, kept, scene, seeded

TARGET = Path("tests/data/reference/rife_seeded.npz")


def main(package: Path) -> None:
    """Write the pictures of all cases."""
    published = ModuleType("vsrife")  # its own __init__ needs packages for GPUs
    published.__path__ = [str(package)]
    sys.modules["vsrife"] = published
    np.savez_compressed(TARGET, **{case.key: kept(picture(case)) for case in CASES})


def picture(case: Case) -> Tensor:
    """Return the picture that the published code makes for a case."""
    layers: Any = importlib.import_module(f"vsrife.IFNet_HDv3_v{case.version.replace('.', '_')}")
    layers.warp = warp
    network = layers.IFNet(case.scale, case.ensemble)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict(seeded(case.version, shapes))
    network = network.double().eval()
    frames = [scene(shift, case.size).double() for shift in (0, 4)]
    height, width = case.size
    across, down = (torch.linspace(-1, 1, length, dtype=torch.float64) for length in (width, height))
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"))[None]
    halves = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    time = torch.full((1, 1, height, width), case.time, dtype=torch.float64)
    with torch.no_grad():
        heads = [network.encode(frame) for frame in frames] if hasattr(network, "encode") else []
        made: Tensor = network(*frames, time, halves, grid, *heads)
    return made[0]


def warp(picture: Tensor, flow: Tensor, halves: Tensor, grid: Tensor) -> Tensor:
    """Sample as the published ``warp`` does, but in float64 throughout."""
    places = (grid + flow / halves[:, None, None]).permute(0, 2, 3, 1)
    return grid_sample(picture, places, mode="bilinear", padding_mode="border", align_corners=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
