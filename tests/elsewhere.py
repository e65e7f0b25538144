"""Runs commands as on a system that has nothing of its own: ``python -m tests.elsewhere '[["doctor"], …]'``.

Takes away what the standard library has on Linux or on Unix alone, after the libraries we use have been loaded, which
know their way on every system.  What stays is Python's own way of starting processes, and Linux beneath it all: this
shows that our code asks for no such name, not that it runs on Windows.  Prints the commands' exit codes as JSON.
"""

from __future__ import annotations

import builtins
import json
import os
import signal
import sys
import traceback
from typing import Any

from .test_portable import MODULES, OS, SIGNALS

STANDARD = {"statvfs", "WIFSIGNALED", "WTERMSIG"}
"""What the standard library itself asks for on Linux, in `shutil.disk_usage` and `subprocess`."""


def load_libraries() -> None:
    """Import all that is not ours."""
    import av
    import filelock
    import numpy
    import onnx
    import openvino
    import PIL.Image
    import platformdirs
    import rich.progress
    import torch.utils.data
    import torch.utils.tensorboard
    import vapoursynth

    assert all((av, filelock, numpy, onnx, openvino, PIL, platformdirs, rich, torch, vapoursynth.core))


def take_away() -> None:
    """Remove the modules and names, and refuse text files without an encoding to our own code."""
    for module in MODULES - {"posix"}:
        sys.modules[module] = None  # type: ignore[assignment]
    for name in OS:
        if name not in STANDARD and hasattr(os, name):
            delattr(os, name)
    for name in SIGNALS:
        if hasattr(signal, name):
            delattr(signal, name)
    genuine = builtins.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        ours = sys._getframe(1).f_globals.get("__name__", "").split(".")[0] in ("vs_interp", "trt_build")
        assert not ours or "b" in mode or options.get("encoding") == "utf-8", f"{file} is opened without an encoding"
        return genuine(file, mode, *arguments, **options)

    builtins.open = opened


def main() -> None:
    import trt_build  # noqa: F401  (before OpenVINO: it keeps its statistics at home)

    load_libraries()
    take_away()
    from vs_interp.cli.main import main as command

    codes = []
    for arguments in json.loads(sys.argv[1]):
        try:
            command(arguments)
        except SystemExit as ended:
            codes.append(ended.code or 0)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            codes.append(1)
    print(json.dumps(codes))


if __name__ == "__main__":
    main()
