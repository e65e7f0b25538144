"""Score networks that enlarge on photographs and on film, beside bicubic, and say what they cost.

    python benchmarks/enlarging.py --photos KODAK --clips CLIPS fsrcnn-x2 span-x2 real-cugan-x2 > enlarging.md

Photographs are shrunk by antialiased bicubic (Pillow), a frame of each clip by ``resize.Bicubic`` (Catmull-Rom); what
``upscale`` makes of them on OpenVINO in FP32 is compared with the original: PSNR of luma at 8 bits without a border of
8 pixels.  kMAC are the multiplications of all convolutions for a pixel of the small picture; the time is processor
time (user and system) of one 1280×720 frame enlarged, FSRCNN's is measured beside each network's.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import vapoursynth as vs
from numpy.typing import NDArray
from PIL import Image

from trt_build.backends.openvino import OpenVINO
from trt_build.model_file import ModelFile
from vs_interp import upscale
from vs_interp.weights.catalogue import find

core = vs.core
BORDER = 8
CATMULL_ROM = {"filter_param_a": 0, "filter_param_b": 0.5}
REFERENCE = "fsrcnn-x2"


def main() -> None:
    """Print one table: a line for each network, below bicubic's of its scale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help="entries of the catalogue that are here")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    arguments = parser.parse_args()
    print("| network | photographs, dB | film, dB | worst against bicubic, dB ", end="")
    print("| kMAC a pixel | s a 720p frame | times FSRCNN |")
    print("|---|---|---|---|---|---|---|", flush=True)
    known: dict[int, list[NDArray[np.float64]]] = {}
    for name in arguments.names:
        file = find(name).model_file
        scale = ModelFile.load(file).spec.output.scale
        if scale not in known:
            known[scale] = [np.array(list(each)) for each in scores(None, scale, arguments)]
            photos, film = (values.mean() for values in known[scale])
            print(f"| bicubic ×{scale} | {photos:.2f} | {film:.2f} | | | | |", flush=True)
        photos, film = (np.array(list(each)) for each in scores(file, scale, arguments))
        worst = min((film - known[scale][1]).min(), (photos - known[scale][0]).min())
        took, beside = seconds(file, scale), seconds(find(REFERENCE).model_file, 2)
        print(
            f"| {name} | {photos.mean():.2f} | {film.mean():.2f} | {worst:+.2f} | {thousands(file):,.0f} |"
            f" {took:.2f} | {took / beside:.1f} |",
            flush=True,
        )


def scores(file: Path | None, scale: int, arguments: argparse.Namespace) -> tuple[Iterator[float], Iterator[float]]:
    """Return the PSNR of every photograph, and of every clip; ``None`` stands for bicubic."""
    photos = (photograph(path, scale) for path in sorted(arguments.photos.glob("*.[pj]*")))
    clips = (excerpt(path, scale) for path in sorted(arguments.clips.iterdir()))
    return (compared(*pair, file, scale) for pair in photos), (compared(*pair, file, scale) for pair in clips)


def photograph(path: Path, scale: int) -> tuple[vs.VideoNode, vs.VideoNode]:
    """Return a photograph shrunk and as it is, YUV 4:4:4 of 8 bits, cut to a multiple of the scale."""
    with Image.open(path) as image:
        width, height = (size // scale // 4 * 4 for size in image.size)
        large = image.convert("RGB").crop((0, 0, width * scale, height * scale))
    small = large.resize((width, height), Image.Resampling.BICUBIC)
    return as_clip(small), as_clip(large)


def as_clip(picture: Image.Image) -> vs.VideoNode:
    """Return one frame of a picture in YUV 4:4:4."""
    blank = core.std.BlankClip(None, *picture.size, vs.RGB24, 1, keep=True)

    def filled(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane, values in enumerate(np.moveaxis(np.asarray(picture), 2, 0)):
            np.copyto(np.asarray(frame[plane]), values)
        return frame

    return core.resize.Bicubic(core.std.ModifyFrame(blank, blank, filled), format=vs.YUV444P8, matrix_s="709")


def excerpt(path: Path, scale: int) -> tuple[vs.VideoNode, vs.VideoNode]:
    """Return a frame of a clip shrunk and as it is, in YUV 4:2:0 of 8 bits."""
    clip = core.bs.VideoSource(str(path), cachemode=0)[10]
    step = 4 * scale
    large = core.std.CropRel(clip, right=clip.width % step, bottom=clip.height % step)
    large = core.resize.Bicubic(large, format=vs.YUV420P8)
    return core.resize.Bicubic(large, large.width // scale, large.height // scale, **CATMULL_ROM), large


def compared(small: vs.VideoNode, large: vs.VideoNode, file: Path | None, scale: int) -> float:
    """Return the PSNR of a clip enlarged again, in dB."""
    if file is None:
        made = core.resize.Bicubic(small, large.width, large.height, **CATMULL_ROM)
    else:
        made = upscale(small, scale=scale, model=file, backend=OpenVINO(), scene_threshold=None)
    return psnr(made.get_frame(0), large.get_frame(0))


def psnr(made: vs.VideoFrame, truth: vs.VideoFrame) -> float:
    """Return the PSNR of two frames' luma in dB, without the border."""
    inside = slice(BORDER, -BORDER), slice(BORDER, -BORDER)
    first, second = (np.asarray(frame[0])[inside].astype(np.float64) for frame in (made, truth))
    return 10 * math.log10(255**2 / float(((first - second) ** 2).mean()))


def thousands(file: Path) -> float:
    """Return kMAC a pixel: what all convolutions of a graph multiply, at 1280×720."""
    graph = ModelFile.load(file).graph
    for value in graph.graph.input:
        for dimension, size in zip(value.type.tensor_type.shape.dim, (1, None, 720, 1280), strict=True):
            if size:
                dimension.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(graph, data_prop=True)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
              for v in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)}  # fmt: skip
    weights = {each.name: math.prod(each.dims) for each in graph.graph.initializer}
    total = 0
    for node in graph.graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):  # a weight is used once a pixel of the output, or of the input
            pixels = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]][2:]
            total += weights[node.input[1]] * math.prod(pixels)
    return total / (720 * 1280) / 1000


def seconds(file: Path, scale: int) -> float:
    """Return the processor time of one 1280×720 frame: the less of two."""
    clip = core.std.BlankClip(None, 1280, 720, vs.YUV420P8, 2, color=[90, 110, 140])
    made = upscale(clip, scale=scale, model=file, backend=OpenVINO(streams=1, threads=1), scene_threshold=None)
    times = []
    for number in range(2):
        before = time.process_time()
        made.get_frame(number).close()
        times.append(time.process_time() - before)
    return min(times)


if __name__ == "__main__":
    main()
