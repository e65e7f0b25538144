"""Build engines from model files, and run them: model file → engine → session."""

from __future__ import annotations

import sys

# `import openvino` sends usage statistics from a forked child process that can hang at exit.  It works without its
# telemetry package, so importing that package is made to fail.
if "openvino" not in sys.modules:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
