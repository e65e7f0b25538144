"""Pack what a machine with a GPU and PyTorch but without a network needs for ``benchmarks/gpu.py``: ``make gpu-kit``.

The folder ``.gpu-kit`` is copied together with the repository; there ``sh .gpu-kit/run.sh`` does everything.

wheels/     packages that such a machine lacks; they are unpacked to a temporary folder, not installed
weights/    model files: those that make pictures have their weights in half precision, to which engines round them
            anyway; those that are only timed have no weights, and get random ones there
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from vs_interp.folders import cache_folder

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / ".gpu-kit"

WHEELS = (
    "vapoursynth",
    "platformdirs",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-inspection",
    "filelock",
)
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")

LARGE = 1024
"""Only tensors with more numbers than this are made smaller."""

RUN = """\
#!/bin/sh
# sh .gpu-kit/run.sh [MINUTES] [FOLDER]: from the root of the repository; results go to FOLDER/gpu.json and gpu.log.
set -e
kit=$(cd "$(dirname "$0")" && pwd)
cd "$kit/.."
minutes=${1:-6} out=${2:-$kit/results} work=$(mktemp -d)
mkdir -p "$out"
python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$work/site" "$kit"/wheels/*.whl
[ -e vs_interp/filters ] || { ln -s ../filters vs_interp/filters; linked=vs_interp/filters; }  # as it is installed
trap 'rm -rf "$work" $linked' EXIT
export PYTHONPATH="$work/site:$PWD" PYTHONUNBUFFERED=1 VS_INTERP_CACHE="$work/cache"
python3 -m tools.gpu_kit --unpack "$kit"
python3 -m benchmarks.gpu --minutes "$minutes" --json "$out/gpu.json" 2>&1 | tee "$out/gpu.log"
"""


def pack(folder: Path) -> None:
    """Write the kit, replacing an older one."""
    from benchmarks.subjects import SUBJECTS

    shutil.rmtree(folder, ignore_errors=True)
    (folder / "weights").mkdir(parents=True)
    fetch_wheels(folder / "wheels")
    for subject in SUBJECTS.values():
        path = subject.model_file()
        if path.parent != cache_folder("weights"):
            continue  # it is part of the repository
        lighter = without_weights if path.name.startswith("benchmark-") else halved
        (folder / "weights" / path.name).write_bytes(lighter(onnx.load(path)).SerializeToString())
    (folder / "run.sh").write_text(RUN)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            print(f"{file.stat().st_size / 2**20:7.2f} MiB  {file.relative_to(folder)}")


def fetch_wheels(folder: Path) -> None:
    """Download the wheels in the versions of constraints.txt, for Python 3.12 on Linux."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {re.sub("[-_.]+", "-", line.partition("==")[0]).lower(): line for line in lines if "==" in line}
    options = [option for platform in PLATFORMS for option in ("--platform", platform)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "-d",
        str(folder),
    ]
    command += ["--python-version", "3.12", "--implementation", "cp", *options]
    subprocess.run([*command, *(pins[name] for name in WHEELS)], check=True)


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its large tensors in half precision, marked so that :func:`unpacked` widens them."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) > LARGE:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
            tensor.doc_string = "halved"
    return model


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its large tensors empty, marked so that :func:`unpacked` fills them at random."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) > LARGE:
            tensor.raw_data, tensor.doc_string = b"", "random"
    return model


def unpacked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a complete model from what :func:`halved` or :func:`without_weights` made."""
    random = np.random.default_rng(1)
    for tensor in model.graph.initializer:
        kind = tensor.doc_string
        if kind == "halved":
            values = numpy_helper.to_array(tensor).astype(np.float32)
        elif kind == "random":
            spread = np.float32(np.prod(tensor.dims[1:]) ** -0.5)  # keeps the size of what goes through a convolution
            values = random.standard_normal(tuple(tensor.dims), np.float32) * spread
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def unpack(folder: Path) -> None:
    """Unpack the kit's model files to the user's weights, whose place ``VS_INTERP_CACHE`` should set."""
    target = cache_folder("weights")
    target.mkdir(parents=True, exist_ok=True)
    for file in (folder / "weights").glob("*.onnx"):
        (target / file.name).write_bytes(unpacked(onnx.load(file)).SerializeToString())
        (target / file.name).with_suffix(".json").write_text(json.dumps({"sources": {"gpu-kit": file.name}}))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--unpack", type=Path, metavar="KIT", help="unpack a kit's model files (done by run.sh)")
    given = parser.parse_args()
    if given.unpack is not None:
        unpack(given.unpack)
    else:
        pack(KIT)


if __name__ == "__main__":
    main()
