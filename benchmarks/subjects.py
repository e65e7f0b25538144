"""The networks and their model files that ``benchmarks/gpu.py`` measures, and the rows of its table in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trt_build.model_file import with_spec, write
from vs_interp.folders import cache_folder
from vs_interp.registry import network_class
from vs_interp.size import Size

HD, FULL_HD, UHD = Size(1280, 720), Size(1920, 1080), Size(3840, 2160)

SMALL = {
    "width": 8, "flow_gain": 8.0, "flow_scales": [4, 2, 2], "sampling": "bicubic", "padding": "border",
    "align_corners": False, "exact_warp": True, "in_place": True, "linear_output": True,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network with a configuration; its weights, which do not change its speed, may be random.

    file
        Name of its model file in the package or among the user's weights.
    """

    network: str
    file: str
    config: Mapping[str, Any] = field(default_factory=dict)

    def model_file(self) -> Path:
        """Return the model file; if there is none, it is exported with random weights to the user's weights."""
        bundled = Path("vs_interp", "models", self.file)
        path = bundled if bundled.is_file() else cache_folder("weights") / self.file
        if not path.is_file():
            export(self, path)
        return path


SUBJECTS = {
    "super-slomo small": Subject(network="super-slomo", file="super-slomo-small.onnx", config=SMALL),
    "super-slomo 32": Subject(network="super-slomo", file="benchmark-super-slomo-32.onnx"),
    "rife 4.25": Subject(network="rife", file="rife-4.25.onnx", config={"version": "4.25"}),
    "rife 4.0": Subject(network="rife", file="benchmark-rife-4.0.onnx", config={"version": "4.0"}),
    "flavr": Subject(network="flavr", file="benchmark-flavr-2x.onnx", config={"factor": 2}),
    "fsrcnn x2": Subject(network="fsrcnn", file="fsrcnn-x2.onnx", config={"scale": 2}),
    "span x2": Subject(network="span", file="span-x2.onnx", config={"scale": 2, "features": 48}),
}


def export(subject: Subject, path: Path) -> None:
    """Write a model file with random weights."""
    import torch

    from trt_build.pytorch.export import to_graph

    torch.manual_seed(1)
    network = network_class(subject.network).from_config(dict(subject.config)).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(with_spec(to_graph(network), network.spec), path)


@dataclass(frozen=True)
class Row:
    """One row of the table; a factor of 1 stands for upscaling."""

    subject: str
    size: Size
    factor: int


ROWS = (
    Row("super-slomo small", FULL_HD, 2),
    Row("rife 4.25", FULL_HD, 2),
    Row("fsrcnn x2", FULL_HD, 1),
    Row("flavr", FULL_HD, 2),
    Row("super-slomo small", FULL_HD, 8),
    Row("rife 4.0", FULL_HD, 2),
    Row("super-slomo 32", FULL_HD, 2),
    Row("rife 4.25", FULL_HD, 8),
    Row("super-slomo small", UHD, 2),
    Row("span x2", FULL_HD, 1),
    Row("super-slomo small", HD, 2),
    Row("rife 4.25", HD, 2),
    Row("rife 4.25", UHD, 2),
    Row("super-slomo 32", FULL_HD, 8),
    Row("fsrcnn x2", HD, 1),
    Row("rife 4.0", FULL_HD, 8),
    Row("super-slomo 32", UHD, 2),
    Row("flavr", HD, 2),
    Row("span x2", HD, 1),
    Row("super-slomo small", HD, 8),
    Row("rife 4.0", HD, 2),
    Row("rife 4.0", UHD, 2),
    Row("super-slomo 32", HD, 2),
    Row("fsrcnn x2", UHD, 1),
    Row("super-slomo small", UHD, 8),
    Row("rife 4.25", HD, 8),
    Row("rife 4.25", UHD, 8),
    Row("rife 4.0", HD, 8),
    Row("rife 4.0", UHD, 8),
    Row("super-slomo 32", HD, 8),
    Row("super-slomo 32", UHD, 8),
    Row("flavr", UHD, 2),
    Row("span x2", UHD, 1),
)
"""The most informative rows come first, since a run may be cut off at any time."""
