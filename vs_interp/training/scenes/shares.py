"""Choices by share for many samples at once, as even as can be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def dealt(random: np.random.Generator, shares: Mapping[int, float], count: int) -> NDArray[np.int64]:
    """Return ``count`` of the keys, in their order, each drawn as often as its share says, and one more or less.

    Systematic sampling: every place has the right chance of every key, and the numbers of each hardly differ from
    batch to batch.  On a GPU these are shapes, and memory and plans that were made for them are used again.
    """
    keys, weights = np.array(list(shares), np.int64), np.array(list(shares.values()), np.float64)
    ends = np.cumsum(weights / weights.sum())
    ends[-1] = 1.0
    return keys[np.searchsorted(ends, (np.arange(count) + random.random()) / count, side="right")]
