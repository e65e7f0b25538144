"""GPUs that TensorRT does not support, chosen by default only after a test of their results."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, Profile
from vs_interp.errors import BackendError
from vs_interp.log import logger
from vs_interp.size import Size

from .base import Backend
from .film import film_frames, fitted
from .onnx_runtime import OnnxRuntime, available
from .openvino import OpenVINO, devices

TESTED = "fsrcnn-x2.onnx"
"""A small bundled model with convolutions, transposed convolutions and PReLU."""

SIZE = Size(128, 96)

TOLERANCE = 2 / 255
"""The largest difference allowed between a GPU's picture and the CPU's."""


def other_gpus() -> Iterator[Backend]:
    """Yield a backend for every GPU here that OpenVINO or ONNX Runtime can use and that passes the test."""
    found: list[Backend] = []
    if OpenVINO.missing() is None:
        found += [OpenVINO(device=device) for device in devices() if device.startswith("GPU")]
    if OnnxRuntime.missing() is None:
        found += [OnnxRuntime(provider=provider) for provider in available() if provider != "cpu"]
    for runtime in found:
        wrong = what_is_wrong(runtime)
        if wrong is None:
            yield runtime
        else:
            logger.warning("not using %s: %s", runtime, wrong)


def what_is_wrong(runtime: Backend) -> str | None:
    """Enlarge a frame of film with a backend and on the CPU; return how it fails, or ``None`` if the pictures agree."""
    try:
        made, wanted = _enlarged(runtime), _enlarged(OpenVINO() if OpenVINO.missing() is None else OnnxRuntime())
    except BackendError as error:
        return str(error)
    off = float(np.abs(made - wanted).max())
    return None if off <= TOLERANCE else f"its picture is off by {255 * off:.0f} 8-bit codes with a small network"


def _enlarged(runtime: Backend) -> NDArray[np.float32]:
    model = ModelFile.from_bytes((files("vs_interp") / "models" / TESTED).read_bytes())
    luma = fitted(film_frames(1)[0], SIZE).mean(0)
    made = np.zeros((SIZE.height * 2, SIZE.width * 2), np.float32)
    session = runtime.open(model, Profile(width=SIZE.width, height=SIZE.height, planes=GRAYS))[0]
    session.run([[luma]], [0], [0.0], [[made]])
    return made
