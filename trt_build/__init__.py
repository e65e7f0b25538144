"""Model files become engines and sessions."""

from __future__ import annotations

import sys

# `import openvino` reports itself to a statistics server, from a forked child that can hang at exit.  Its own code does
# without where that package cannot be imported.
if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
