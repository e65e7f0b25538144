"""Scores and jobs name the version of whatever computes their pictures."""

from __future__ import annotations

import re

from trt_build.backends.versions import RUNTIMES
from vs_interp.extras import packages


def test_the_runtimes_of_all_extras_are_named() -> None:
    for extra in ("tensorrt", "tensorrt-rtx", "onnxruntime"):
        runtime = re.split("[<>=]", packages(extra)[0])[0]
        assert runtime in RUNTIMES
