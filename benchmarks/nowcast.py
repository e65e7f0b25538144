"""Nowcasts of Meteosat's pictures: the chunks that recipes/nowcast-meteosat.toml is trained on, and the scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from vs_interp.datasets.chunks import write_chunks
from vs_interp.datasets.drifting_clouds import SEQUENCES, DriftingClouds
from vs_interp.size import Size

SIDE = 128
TRAIN, VALIDATION, TEST = slice(0, 448), slice(448, 576), slice(640, 1024)
"""Columns; the gap is wider than clouds drift."""

CLOUDS = 400


def meteosat(file: Path) -> NDArray[np.uint16]:
    """Return the 10-bit counts of a file that holds differences along its rows, T×H×W."""
    with np.load(file) as arrays:
        return np.cumsum(arrays["diff_x"], axis=2, dtype=np.int16).astype(np.uint16)


@click.group()
def main() -> None:
    """Chunks to train on, and scores."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.argument("folder", type=click.Path(path_type=Path))
def pack(file: Path, folder: Path) -> None:
    """Write FILE's parts, and clouds that drift, as chunks below FOLDER."""
    counts = meteosat(file)
    write_chunks([{"frames": counts[:, :, TRAIN]}], folder / "train")
    parts = counts[:, :, VALIDATION].reshape(len(counts), -1, SIDE, SIDE).swapaxes(0, 1)
    write_chunks([{"frames": part} for part in parts], folder / "validation")
    write_chunks(_clouds(len(counts)), folder / "clouds")


def _clouds(length: int) -> Iterator[dict[str, NDArray[np.uint8]]]:
    sky = DriftingClouds(Size(SIDE, SIDE), "train")
    for sequence in range(min(CLOUDS, SEQUENCES["train"])):
        yield {"frames": sky.frames(sequence, range(length))[..., 0]}


if __name__ == "__main__":
    main()
