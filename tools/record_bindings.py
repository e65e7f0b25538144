"""Record the classes, members and keyword arguments of TensorRT's Python bindings, from their wheels on PyPI.

    python tools/record_bindings.py tests/data/bindings.json tensorrt-cu12-bindings==10.13.3.9 ...

The wheels contain only the bindings.  To import them without TensorRT's libraries (gigabytes, which are not on PyPI),
empty libraries are compiled by ``cc``.  ``tests/trt_build/engines/test_bindings.py`` compares our code with the record.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin")
FUNCTIONS = (
    "createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL",
    "createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getNvOnnxParserVersion",
    "getPluginRegistry", "getBuilderPluginRegistry", "initLibNvInferPlugins",
)  # fmt: skip
STAND_IN = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in FUNCTIONS)

LISTING = """
import inspect, json, re
import tensorrt_bindings as bindings

def keywords(member):
    signatures = re.findall(r"\\(self[^()]*(?:\\([^()]*\\)[^()]*)*\\)", getattr(member, "__doc__", None) or "")
    return sorted({name for text in signatures for name in re.findall(r", (\\w+):", text)})

classes = {}
for name, kind in vars(bindings).items():
    if inspect.isclass(kind) and not name.endswith("Layer") and "lugin" not in name:
        members = [member for member in dir(kind) if not member.startswith("_")]
        classes[name] = {member: keywords(getattr(kind, member)) for member in members}
print(json.dumps({"version": bindings.__version__, "classes": classes}))
"""


def record(requirement: str) -> dict[str, object]:
    """Return the version and the classes of one wheel."""
    with tempfile.TemporaryDirectory() as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, requirement]
        subprocess.run(download, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        major = requirement.partition("==")[2].partition(".")[0]
        for library in LIBRARIES:
            name = f"lib{library}.so.{major}"
            build = ["cc", "-shared", "-fPIC", "-x", "c", "-", f"-Wl,-soname,{name}", "-o", f"{folder}/{name}"]
            subprocess.run(build, input=STAND_IN, text=True, check=True)
        environment = {**os.environ, "LD_LIBRARY_PATH": folder, "PYTHONPATH": folder}
        run = subprocess.run(
            [sys.executable, "-c", LISTING], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        listed: dict[str, object] = json.loads(run.stdout)
        return listed


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps([record(each) for each in sys.argv[2:]], indent=0) + "\n", encoding="utf-8")
