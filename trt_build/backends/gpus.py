"""GPUs that TensorRT does not know, taken unasked only where they prove to work."""

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

TRIED = "fsrcnn-x2.onnx"
"""A bundled model that is small, and has convolutions, transposed ones and PReLU."""

SIZE = Size(128, 96)

FARTHEST = 2 / 255
"""How far what a GPU makes may be from what the CPU makes."""


def other_gpus() -> Iterator[Backend]:
    """Yield a backend for every GPU here that OpenVINO or ONNX Runtime drives, and that works."""
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
            logger.warning("%s is passed over: %s", runtime, wrong)


def what_is_wrong(runtime: Backend) -> str | None:
    """Return what keeps a backend from making what the CPU makes of a frame of film; ``None`` where nothing does."""
    try:
        made, wanted = _made(runtime), _made(OpenVINO() if OpenVINO.missing() is None else OnnxRuntime())
    except BackendError as error:
        return str(error)
    off = float(np.abs(made - wanted).max())
    return None if off <= FARTHEST else f"it is off by {255 * off:.0f} codes of 8 bits on a small network"


def _made(runtime: Backend) -> NDArray[np.float32]:
    model = ModelFile.from_bytes((files("vs_interp") / "models" / TRIED).read_bytes())
    luma = fitted(film_frames(1)[0], SIZE).mean(0)
    made = np.zeros((SIZE.height * 2, SIZE.width * 2), np.float32)
    session = runtime.open(model, Profile(width=SIZE.width, height=SIZE.height, planes=GRAYS))[0]
    session.run([[luma]], [0], [0.0], [[made]])
    return made
