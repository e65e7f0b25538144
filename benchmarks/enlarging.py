"""Compare super-resolution networks with bicubic on photographs and film, in quality and in cost.

    python benchmarks/enlarging.py fsrcnn-x2 span-x2 real-cugan-x2 --on kodak,clips > enlarging.md
    python benchmarks/enlarging.py fsrcnn-x2 real-cugan-x2 --on animation --crf 28       # with artefacts of compression

Photographs are reduced by antialiased bicubic (Pillow), a frame of each film by ``resize.Bicubic`` (Catmull-Rom); with
``--crf`` they are then encoded by x264.  They are enlarged again by ``upscale`` on OpenVINO and compared with the
originals: PSNR of 8-bit luma, without a border of 8 pixels.  kMAC are thousands of multiplications for one pixel of the
small picture.  The time is the processor time (user and system) of one 1280×720 frame; FSRCNN is measured next to each
network.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray
from PIL import Image

from trt_build.backends.openvino import OpenVINO
from trt_build.backends.work import work_per_pixel
from trt_build.model_file import ModelFile
from vs_interp import upscale
from vs_interp.weights.catalogue import find

core = vs.core
BORDER = 8
CATMULL_ROM = {"filter_param_a": 0, "filter_param_b": 0.5}
REFERENCE = "fsrcnn-x2"
PICTURES = ".png", ".jpg"
TIMES = 3
ONE_THREAD = OpenVINO(streams=1, threads=1, precision="fp32")


def main() -> None:
    """Print a table with a row for each network, below that of bicubic at its scale."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help="entries of the catalogue that are here")
    parser.add_argument("--on", metavar="FOLDER,…", required=True, help="folders of pictures or films, a column each")
    parser.add_argument("--crf", type=int, help="encode the small pictures by x264 at this quality")
    arguments = parser.parse_args()
    folders = [Path(name) for name in arguments.on.split(",")]
    print(f"| network | {' | '.join(folder.name for folder in folders)} | worst against bicubic ", end="")
    print("| kMAC a pixel | s a 720p frame | times FSRCNN |")
    print("|---" * (5 + len(folders)) + "|", flush=True)
    known: dict[int, list[NDArray[np.float64]]] = {}
    for name in arguments.names:
        file = find(name).model_file
        model = ModelFile.load(file)
        scale = model.spec.output.scale
        if scale not in known:
            known[scale] = [scores(None, scale, folder, arguments.crf) for folder in folders]
            print(f"| bicubic ×{scale} | {means(known[scale])} | | | | |", flush=True)
        found = [scores(file, scale, folder, arguments.crf) for folder in folders]
        worst = min((mine - bicubic).min() for mine, bicubic in zip(found, known[scale], strict=True))
        took, beside = seconds(file, scale), seconds(find(REFERENCE).model_file, 2)
        print(
            f"| {name} | {means(found)} | {worst:+.2f} | {work_per_pixel(model):,.0f} | {took:.2f} |"
            f" {took / beside:.1f} |",
            flush=True,
        )


def means(found: Sequence[NDArray[np.float64]]) -> str:
    """Return the table cells of a row of mean scores."""
    return " | ".join(f"{values.mean():.2f}" for values in found)


def scores(file: Path | None, scale: int, folder: Path, crf: int | None) -> NDArray[np.float64]:
    """Return the PSNR in dB of every picture or film of a folder; the file ``None`` stands for bicubic."""
    return np.array([compared(*pair, file, scale) for pair in pairs(folder, scale, crf)])


def pairs(folder: Path, scale: int, crf: int | None) -> Iterator[tuple[vs.VideoNode, vs.VideoNode]]:
    """Yield the reduced and the original clip of every picture or film of a folder."""
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        small, large = (photograph if path.suffix in PICTURES else excerpt)(path, scale)
        yield small if crf is None else encoded(small, crf), large


def photograph(path: Path, scale: int) -> tuple[vs.VideoNode, vs.VideoNode]:
    """Return a photograph reduced and at its own size, in 8-bit YUV 4:4:4, cropped to a multiple of the scale."""
    with Image.open(path) as image:
        width, height = (size // scale // 4 * 4 for size in image.size)
        large = image.convert("RGB").crop((0, 0, width * scale, height * scale))
    small = large.resize((width, height), Image.Resampling.BICUBIC)
    return as_clip(small), as_clip(large)


def as_clip(picture: Image.Image) -> vs.VideoNode:
    """Return a picture as a clip of one frame in YUV 4:4:4."""
    blank = core.std.BlankClip(None, *picture.size, vs.RGB24, 1, keep=True)
    shown = showing(blank, list(np.moveaxis(np.asarray(picture), 2, 0)))
    return core.resize.Bicubic(shown, format=vs.YUV444P8, matrix_s="709")


def showing(clip: vs.VideoNode, planes: Sequence[NDArray[np.uint8]]) -> vs.VideoNode:
    """Return a clip of one frame with its planes replaced."""

    def filled(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane, values in enumerate(planes):
            np.copyto(np.asarray(frame[plane]), values)
        return frame

    return core.std.ModifyFrame(clip, clip, filled)


def excerpt(path: Path, scale: int) -> tuple[vs.VideoNode, vs.VideoNode]:
    """Return a frame of a film reduced and at its own size, in 8-bit YUV 4:2:0."""
    clip = core.bs.VideoSource(str(path), cachemode=0)[10]
    step = 4 * scale
    large = core.std.CropRel(clip, right=clip.width % step, bottom=clip.height % step)
    large = core.resize.Bicubic(large, format=vs.YUV420P8)
    return core.resize.Bicubic(large, large.width // scale, large.height // scale, **CATMULL_ROM), large


def encoded(clip: vs.VideoNode, crf: int) -> vs.VideoNode:
    """Return a frame in YUV 4:2:0 after encoding by x264."""
    clip = core.resize.Bicubic(clip, format=vs.YUV420P8)
    with clip.get_frame(0) as frame:
        planes = np.concatenate([np.asarray(frame[plane]).ravel() for plane in range(3)])
    stored = io.BytesIO()
    with av.open(stored, "w", "h264") as container:
        stream = container.add_stream("libx264", 24, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        picture = av.VideoFrame.from_ndarray(planes.reshape(-1, clip.width), "yuv420p")
        container.mux([*stream.encode(picture), *stream.encode(None)])
    stored.seek(0)
    with av.open(stored, "r") as film:
        left = np.asarray(next(film.decode(video=0)).to_ndarray(), np.uint8).ravel()
    luma, chroma = clip.width * clip.height, clip.width * clip.height // 4
    small = clip.height // 2, clip.width // 2
    return showing(
        clip, [left[:luma].reshape(clip.height, -1), *(part.reshape(small) for part in np.split(left[luma:], [chroma]))]
    )


def compared(small: vs.VideoNode, large: vs.VideoNode, file: Path | None, scale: int) -> float:
    """Enlarge a clip, and return its PSNR in dB."""
    if file is None:
        made = core.resize.Bicubic(small, large.width, large.height, **CATMULL_ROM)
    else:
        made = upscale(small, scale=scale, model=file, backend=ONE_THREAD, scene_threshold=None)
    return psnr(made.get_frame(0), large.get_frame(0))


def psnr(made: vs.VideoFrame, truth: vs.VideoFrame) -> float:
    """Return the PSNR of two frames' luma in dB, without the border."""
    inside = slice(BORDER, -BORDER), slice(BORDER, -BORDER)
    first, second = (np.asarray(frame[0])[inside].astype(np.float64) for frame in (made, truth))
    return 10 * math.log10(255**2 / float(((first - second) ** 2).mean()))


def seconds(file: Path, scale: int) -> float:
    """Return the processor time of one 1280×720 frame: the shortest of :data:`TIMES`."""
    clip = core.std.BlankClip(None, 1280, 720, vs.YUV420P8, TIMES, color=[90, 110, 140])
    made = upscale(clip, scale=scale, model=file, backend=ONE_THREAD, scene_threshold=None)
    times = []
    for number in range(TIMES):
        before = time.process_time()
        made.get_frame(number).close()
        times.append(time.process_time() - before)
    return min(times)


if __name__ == "__main__":
    main()
