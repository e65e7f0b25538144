"""Nowcasts of Meteosat's pictures: prepare the data of recipes/nowcast-meteosat.toml, and score forecasts by lead time.

python benchmarks/nowcast.py pack FILE.npz .data/meteosat
python benchmarks/nowcast.py score FILE.npz nowcast.onnx
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from vs_interp import nowcast
from vs_interp.datasets.chunks import write_chunks
from vs_interp.datasets.drifting_clouds import SEQUENCES, DriftingClouds
from vs_interp.metrics import ms_ssim
from vs_interp.size import Size

METHODS: tuple[Literal["network", "flow", "mix"], ...] = ("network", "flow", "mix")

SIDE = 128
TRAIN, VALIDATION, TEST = slice(0, 448), slice(448, 576), slice(640, 1024)
"""Columns of the pictures; the gap before the test part is wider than clouds drift."""

CLOUDS = 400
SEEN, MADE, WINDOWS = 12, 13, 12
STRUCTURE = 0.06
"""Least standard deviation of the last input, of a range of 1: a window of clear sky tests nothing."""


def meteosat(file: Path) -> NDArray[np.uint16]:
    """Return the 10-bit counts (T×H×W) of a file that holds differences along rows."""
    with np.load(file) as arrays:
        return np.cumsum(arrays["diff_x"], axis=2, dtype=np.int16).astype(np.uint16)


@click.group()
def main() -> None:
    """Prepare training data, and score forecasts."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.argument("folder", type=click.Path(path_type=Path))
def pack(file: Path, folder: Path) -> None:
    """Write the parts of FILE, and synthetic drifting clouds, as chunks to subfolders of FOLDER."""
    counts = meteosat(file)
    write_chunks([{"frames": counts[:, :, TRAIN]}], folder / "train")
    parts = counts[:, :, VALIDATION].reshape(len(counts), -1, SIDE, SIDE).swapaxes(0, 1)
    write_chunks([{"frames": part} for part in parts], folder / "validation")
    write_chunks(_clouds(len(counts)), folder / "clouds")


def _clouds(length: int) -> Iterator[dict[str, NDArray[np.uint8]]]:
    sky = DriftingClouds(Size(SIDE, SIDE), "train")
    for sequence in range(min(CLOUDS, SEQUENCES["train"])):
        yield {"frames": sky.frames(sequence, range(length))[..., 0]}


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.argument("model")
def score(file: Path, model: str) -> None:
    """Print MS-SSIM (window 3) by lead time for MODEL, extrapolated motion, a mix of both, and the last picture."""
    found: dict[str, list[list[float]]] = {}
    for window in windows(meteosat(file)):
        clip = as_clip(window[:SEEN])
        made = {
            name: pictures(nowcast(clip, frames=MADE, model=None if name == "flow" else model, method=name))
            for name in METHODS
        }
        made["last"] = [window[SEEN - 1]] * MADE
        made["last, blurred"] = [gaussian_filter(window[SEEN - 1], 3)] * MADE
        for name, foreseen in made.items():
            pairs = zip(foreseen, window[SEEN:], strict=True)
            found.setdefault(name, []).append([ms_ssim(middle(one), middle(true)) for one, true in pairs])
    click.echo(f"| minutes | {' | '.join(found)} |\n|{'---|' * (len(found) + 1)}")
    by_lead = {name: np.mean(each, 0) for name, each in found.items()}
    for lead in range(MADE):
        click.echo(f"| {5 * (lead + 1)} | {' | '.join(f'{by_lead[name][lead]:.3f}' for name in found)} |")
    click.echo(f"| mean | {' | '.join(f'{by_lead[name].mean():.3f}' for name in found)} |")


def windows(counts: NDArray[np.uint16]) -> Iterator[NDArray[np.float32]]:
    """Yield windows of the test part (T×128×128 in [0, 1]) at places that are random but always the same."""
    random, part, found = np.random.default_rng(7), counts[:, :, TEST].astype(np.float32) / 1023, 0
    while found < WINDOWS:
        top, left = (int(random.integers(length - SIDE + 1)) for length in part.shape[1:])
        window = part[:, top : top + SIDE, left : left + SIDE]
        if window[SEEN - 1].std() > STRUCTURE:
            found += 1
            yield window


def as_clip(frames: NDArray[np.float32]) -> vs.VideoNode:
    """Return grey frames as a clip."""
    blank = vs.core.std.BlankClip(format=vs.GRAYS, width=SIDE, height=SIDE, length=len(frames), keep=True)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        np.copyto(np.asarray(frame[0]), frames[n])
        return frame

    return vs.core.std.ModifyFrame(blank, blank, fill)


def pictures(clip: vs.VideoNode) -> list[NDArray[np.float32]]:
    """Return the predicted pictures of a clip."""
    return [np.array(frame[0]) for frame in clip[SEEN:].frames(close=True)]


def middle(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the middle 64×64 of a picture."""
    edges = [(length - SIDE // 2) // 2 for length in picture.shape]
    return picture[tuple(slice(edge, edge + SIDE // 2) for edge in edges)].astype(np.float64)


if __name__ == "__main__":
    main()
