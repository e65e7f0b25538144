"""Random choices by share for many samples at once, distributed as evenly as possible."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def draw_by_share(random: np.random.Generator, shares: Mapping[int, float], count: int) -> NDArray[np.int64]:
    """Return ``count`` keys in order, each as often as its share says, give or take one.

    This is systematic sampling: the chances are exact, and the numbers of each key hardly vary from batch to batch.
    They become the shapes of tensors, so that a GPU can reuse memory and plans made for these shapes.
    """
    keys, weights = np.array(list(shares), np.int64), np.array(list(shares.values()), np.float64)
    ends = np.cumsum(weights / weights.sum())
    ends[-1] = 1.0
    return keys[np.searchsorted(ends, (np.arange(count) + random.random()) / count, side="right")]
