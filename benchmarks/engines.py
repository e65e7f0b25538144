"""Build engines of every registered network for every GPU that TensorRT-RTX knows, and print their sizes and times.

    python benchmarks/engines.py > engines.md
    python benchmarks/engines.py --networks rife,flavr --sizes 448x256 --targets sm_89

This needs no GPU.  Networks have their default configuration and random weights, which change neither size nor time.
A cell is the size of the engine in MiB and the time of its build in seconds, graph passes included.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Iterator

from trt_build.engines.build import BuildOptions, build_engine
from trt_build.engines.runtimes import version
from trt_build.engines.targets import Target, parse_targets
from trt_build.model_file import ModelFile, with_spec
from trt_build.profile import PlaneFormat, Profile
from trt_build.pytorch.export import to_graph
from vs_interp.errors import VsInterpError
from vs_interp.registry import NETWORKS, network_class

TARGETS = "sm_75,sm_80,sm_86,sm_89,sm_120"
SIZES = "448x256,1920x1088"


def main() -> None:
    """Print one table for each size, with a row for each network and bit depth and a column for each GPU."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--targets", default=TARGETS)
    parser.add_argument("--sizes", default=SIZES)
    arguments = parser.parse_args()
    targets = parse_targets(arguments.targets)
    models = {name: random_model(name) for name in arguments.networks.split(",")}
    print(f"TensorRT-RTX {version('tensorrt-rtx')}, {platform.processor() or platform.machine()}, FP16, MiB / seconds")
    for size in arguments.sizes.split(","):
        width, height = map(int, size.split("x"))
        print(f"\n### {size}\n\n| network | planes | {' | '.join(map(str, targets))} |")
        print("|---" * (2 + len(targets)) + "|")
        for name, model in models.items():
            for bits in (8, 10):
                cells = " | ".join(row(model, width, height, bits, targets))
                print(f"| {name} | YUV420P{bits} | {cells} |", flush=True)


def random_model(name: str) -> ModelFile:
    """Return a registered network in its default configuration, with random weights, as a model file."""
    kind = network_class(name)
    network = kind(kind.Config()).eval()  # type: ignore[call-arg]
    print(f"exporting {name}", file=sys.stderr)
    return ModelFile.from_bytes(with_spec(to_graph(network), network.spec).SerializeToString())


def row(model: ModelFile, width: int, height: int, bits: int, targets: tuple[Target, ...]) -> Iterator[str]:
    """Yield a table's cell for each target: size and time, or the error."""
    planes = PlaneFormat(family="yuv", bits=bits, floating=False, subsampling=(1, 1), full_range=False)
    for target in targets:
        start = time.monotonic()
        try:
            engine = build_engine(
                model, Profile(width=width, height=height, planes=planes), BuildOptions(runtime="tensorrt-rtx"), target
            )
        except VsInterpError as error:
            yield str(error)
            continue
        yield f"{engine.size / 2**20:.1f} / {time.monotonic() - start:.1f}"


if __name__ == "__main__":
    main()
