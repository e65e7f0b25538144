"""What the tests of carried engines share: commands, and a model that no catalogue knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper

from tests.support import ROOT
from trt_build.engines.runtimes import missing
from trt_build.model_file import write
from vs_interp.cli.main import group

needs_rtx = pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")

RTX = ("--runtime", "tensorrt-rtx", "--gpu", "ada", "--quiet", "--json")
BUNDLED = ROOT / "vs_interp/models/fsrcnn-x2.onnx"


def run(*arguments: str | Path) -> str:
    """What a command prints on standard output; what it raises is raised."""
    done = CliRunner().invoke(group, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    return done.stdout


def ask(*arguments: str | Path) -> Result:
    """A command's exit code and what it prints, for one that answers by its exit code."""
    return CliRunner().invoke(group, [*map(str, arguments)], catch_exceptions=False)


def own_model(path: Path) -> Path:
    """A model that no catalogue knows: FSRCNN with weights of its own."""
    graph = onnx.load(BUNDLED)
    first = graph.graph.initializer[0]
    values = numpy_helper.to_array(first) * np.float32(1.001)
    first.CopyFrom(numpy_helper.from_array(values, first.name))
    write(graph, path)
    return path
