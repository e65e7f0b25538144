"""The messages of a runtime while it builds, and the error to show if the build fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from vs_interp.errors import BackendError
from vs_interp.files import write_whole

NO_DRIVER = ("CUDA driver version is insufficient", "no CUDA-capable device")
"""Messages that TensorRT-RTX calls errors on a machine without a GPU, although it goes on building."""


class BuildLog:
    """All messages of a runtime, line by line, and the graph that is being built."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._graph = onnx.ModelProto()

    def start(self, name: str, graph: onnx.ModelProto) -> None:
        """Note which graph the next messages are about."""
        self.lines.append(f"---- {name}: {len(graph.graph.node)} nodes")
        self._graph = graph

    def add(self, severity: str, text: str) -> None:
        """Add one message; real errors are kept apart from those of a machine without a GPU."""
        self.lines.append(f"{severity}: {text}")
        if "ERROR" in severity and not any(noise in text for noise in NO_DRIVER):
            self.errors.append(text)

    def parse_failure(self, errors: Sequence[Any]) -> BackendError:
        """Return the exception for a graph that the runtime's parser rejects."""
        if not errors:
            return self.build_failure()
        first = errors[0]
        reason = str(getattr(first.code(), "name", first.code())).lower().replace("_", " ")
        said = "" if first.desc() in ("", "false") else f", {_sentence(first.desc())}"
        return BackendError(
            f"the runtime rejects the node {first.node_name()} ({first.node_operator()}): {reason}{said}"
        )

    def build_failure(self) -> BackendError:
        """Return the exception for a build that failed: the first error, and the node it names."""
        if not self.errors:
            return BackendError(
                "the engine build failed without an error message: try a lower --workspace or --optimization"
            )
        text = self.errors[0]
        if "memory" in text.lower():
            return BackendError(
                f"the engine build ran out of memory: free some, or lower --workspace ({_sentence(text)})"
            )
        node = self._named_node(text)
        where = f" at the node {node.name} ({node.op_type})" if node is not None else ""
        return BackendError(f"the engine build failed{where}: {_sentence(text)}")

    def _named_node(self, text: str) -> onnx.NodeProto | None:
        """Return the node that a message names; of several, the one with the longest name."""
        named = [node for node in self._graph.graph.node if node.name and node.name in text]
        return max(named, key=lambda node: len(node.name), default=None)

    def keep(self, path: Path) -> Path | None:
        """Write all lines to a file and return its path, or ``None`` if there are none or it cannot be written."""
        if not self.lines:
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, ("\n".join(self.lines) + "\n").encode())
        except OSError:
            return None
        return path


def _sentence(text: str) -> str:
    """Return an error of the runtime on one line of at most 300 characters, without its position in the source."""
    line = " ".join(text.split())
    if line.startswith("[") and "]" in line:
        line = line[line.index("]") + 1 :].lstrip(": ")
    return line if len(line) <= 300 else f"{line[:297]}..."
