"""Measure how much networks lose in half precision, and build their engines, without a GPU.

    python benchmarks/half_precision.py rife-4.25 span-x2 > half.md
    python benchmarks/half_precision.py --sizes 1920x1080,3840x2160 --targets sm_75,sm_80,any   # all installed ones

A row has the PSNR in dB of the FP16 graph against the FP32 graph, with rounding emulated on the CPU, on the contents of
``trt_build/verify/probe.py`` (a strip as wide as the picture), and then the size of the engine for each target in MiB.
"""

from __future__ import annotations

import argparse
import sys

from trt_build.engines.build import BuildOptions, build_engine
from trt_build.engines.runtimes import version
from trt_build.engines.targets import Target, parse_targets
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from trt_build.verify.verify import verify_graph
from vs_interp.errors import VsInterpError
from vs_interp.weights.catalogue import catalogue, find

GROUPS = {
    "film": ("film, small motion", "film, large motion", "film, static"),
    "grain": ("film, grain",),
    "texture": ("texture, small motion", "texture, large motion"),
    "black, white": ("black", "white"),
    "all contents": ("all contents",),
}
"""Column of the table → contents, of which it shows the worst score."""

PLANES = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)


def main() -> None:
    """Print a table with a row for each network and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="entries of the catalogue (all whose model files are here)")
    parser.add_argument("--sizes", default="1920x1080")
    parser.add_argument("--targets", default="sm_75,sm_80,sm_86,sm_89,sm_120,any")
    arguments = parser.parse_args()
    targets = parse_targets(arguments.targets)
    here = [entry.name for entry in catalogue().values() if entry.here]
    print(f"TensorRT-RTX {version('tensorrt-rtx')}; PSNR in dB, engines in MiB\n")
    print(f"| network | size | {' | '.join(GROUPS)} | {' | '.join(map(str, targets))} |")
    print("|---" * (2 + len(GROUPS) + len(targets)) + "|", flush=True)
    for size in arguments.sizes.split(","):
        width, height = map(int, size.split("x"))
        for name in arguments.names or here:
            model = ModelFile.load(find(name).model_file)
            profile = Profile(width=model.spec.padded(width), height=model.spec.padded(height), planes=PLANES)
            cells = [*losses(model, profile), *(mebibytes(model, profile, target) for target in targets)]
            print(f"| {name} | {size} | {' | '.join(cells)} |", flush=True)


def losses(model: ModelFile, profile: Profile) -> list[str]:
    """Return the worst PSNR of each group of contents, or an error in the first cell."""
    try:
        scores = verify_graph(model, profile)
    except VsInterpError as error:
        return [str(error), *[""] * (len(GROUPS) - 1)]
    found = [[scores[content] for content in contents if content in scores] for contents in GROUPS.values()]
    return [f"{min(values):.1f}" if values else "" for values in found]


def mebibytes(model: ModelFile, profile: Profile, target: Target) -> str:
    """Return the size of the engine for a target in MiB, or ``no`` if it cannot be built."""
    try:
        engine = build_engine(model, profile, BuildOptions(runtime="tensorrt-rtx"), target)
    except VsInterpError as error:
        print(f"{model.spec.name} for {target}: {error}", file=sys.stderr)
        return "no"
    return f"{engine.size / 2**20:.1f}"


if __name__ == "__main__":
    main()
