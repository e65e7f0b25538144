"""Read the weights of Anime4K's networks as the npm package ``@websr/websr`` keeps them: JSON, for WebGPU.

A layer has matrices of 4×4 numbers, column after column, and four biases.  It makes four channels of four others by one
matrix; a convolution of 3×3 has nine of them, column after column of the window.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import CheckpointError


def read_websr(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return ``NAME.weight`` (matrices × inputs × outputs) and ``NAME.bias`` (outputs) of every layer.

    Raises :class:`CheckpointError` where the file is no such JSON.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    try:
        for name, layer in json.loads(path.read_text(encoding="utf-8"))["layers"].items():
            if "weights" not in layer:
                continue  # the last, which only lays out pixels
            tensors[f"{name}.weight"] = np.array(layer["weights"], np.float32).reshape(-1, 4, 4)
            tensors[f"{name}.bias"] = np.array(layer["bias"], np.float32).reshape(4)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON file of websr's networks, or a damaged one ({error})") from error
    return tensors
