"""Read the weights of Anime4K's networks in the format of the npm package ``@websr/websr``: JSON, for WebGPU.

A layer has 4×4 matrices, stored column by column, and four biases.  A matrix maps four channels to four others; a 3×3
convolution has nine matrices, stored column by column of its window.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import CheckpointError


def read_websr(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return ``NAME.weight`` (matrices × inputs × outputs) and ``NAME.bias`` (outputs) of every layer.

    Raises :class:`CheckpointError` if the file is not such JSON.
    """
    tensors: dict[str, NDArray[np.float32]] = {}
    try:
        for name, layer in json.loads(path.read_text(encoding="utf-8"))["layers"].items():
            if "weights" not in layer:
                continue  # the last layer, which only rearranges pixels
            tensors[f"{name}.weight"] = np.array(layer["weights"], np.float32).reshape(-1, 4, 4)
            tensors[f"{name}.bias"] = np.array(layer["bias"], np.float32).reshape(4)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a JSON file of websr's networks, or a damaged one ({error}): download it again"
        ) from error
    return tensors
