"""The OpenVINO backend, for CPUs and Intel's GPUs and NPUs.

State graph and synthesis graph are compiled once; every stream has an infer request of each.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from typing import ClassVar, Literal

from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.memory import streams_that_fit
from trt_build.graphs.precision import to_bfloat
from trt_build.graphs.unread import without_unread
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, RGBS, Profile
from vs_interp.arguments import check_choice, check_whole, warn_renamed
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.host import cores, processor

from .base import Backend, Check, Session
from .openvino_session import OpenVINOSession, compiled_graph
from .precision import Choice, choose_precision
from .signal_stack import signal_stack_kept


@dataclass(frozen=True, kw_only=True)
class OpenVINO(Backend):
    """Run with OpenVINO on a CPU, or on an Intel GPU or NPU."""

    device: str = "CPU"
    """``"CPU"``, ``"GPU"`` (``"GPU.1"`` for the second), ``"NPU"``, or ``"AUTO"`` to let OpenVINO choose.  GPUs and
    NPUs need Intel's driver."""

    threads: int = field(default_factory=cores)
    """CPU threads that all streams share; by default as many as this process may use."""

    streams: int | Literal["auto"] = "auto"
    """Windows processed at the same time, which share the threads; reduced, with a warning, if there is not enough
    memory.  ``"auto"`` means one for each thread on a CPU, and two on other devices."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """``"bf16"`` takes half to two thirds of the time on CPUs that support it; warp coordinates and the last layers,
    which it would spoil, stay FP32.  Other devices have ``"fp16"`` instead.  ``"auto"`` uses half precision if it is
    supported, the model's frames of a test film then reach 55 dB against FP32, and all but one in 10,000 samples are
    within 4 8-bit codes.  That is tested once and the result stored."""

    planes: Literal["rgb", "native"] = "rgb"
    """``"rgb"``: VapourSynth converts the clip, which is faster on a CPU.  ``"native"``: the graph takes the clip's own
    planes and converts them, as on a GPU."""

    slots: InitVar[int | None] = None
    """The former name of ``streams``."""

    name: ClassVar[str] = "openvino"

    def __post_init__(self, slots: int | None) -> None:
        if slots is not None:
            warn_renamed("OpenVINO(slots=…)", "streams")
            object.__setattr__(self, "streams", slots)
        check_whole("threads", self.threads)
        if self.streams != "auto":
            check_whole("streams", self.streams, examples="2, or 'auto'")
        if re.fullmatch(r"(CPU|GPU|NPU)(\.\d+)?|AUTO", self.device) is None:
            raise ArgumentError(f"device is {self.device!r}: it must be 'CPU', 'GPU', 'GPU.1', 'NPU' or 'AUTO'")
        check_choice("precision", self.precision, ("auto", "fp32", self._half))
        check_choice("planes", self.planes, ("rgb", "native"))
        if self.planes == "native" and self.precision == self._half:
            half = self._half
            raise ArgumentError(f"OpenVINO(planes='native', precision='{half}'): use precision='fp32', or planes='rgb'")

    @property
    def _half(self) -> Literal["bf16", "fp16"]:
        return "bf16" if self.device.startswith("CPU") else "fp16"

    @property
    def native_planes(self) -> bool:
        return self.planes == "native"

    @classmethod
    def missing(cls) -> str | None:
        if importlib.util.find_spec("openvino") is None:
            return "the package openvino is not installed: pip install openvino"
        try:
            import openvino  # noqa: F401
        except ImportError as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1].partition(". ")[0]
            return (
                f"the package openvino cannot be imported ({reason}): install it again; where a VapourSynth plugin has "
                "loaded an OpenVINO of its own (vapoursynth-mlrt-ov), take that out of this environment"
            )
        return None

    @classmethod
    def found(cls) -> str:
        seen = ", ".join(devices())
        return f"{seen}, {'with' if has_bfloat() else 'without'} bfloat16"

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        absent = self.missing()
        if absent:
            raise BackendError(absent)
        _check_device(self.device)
        model.spec.check_size(profile.height, profile.width)
        most = self.threads if self._half == "bf16" else 2
        streams = streams_that_fit(model, profile, most if self.streams == "auto" else self.streams)
        if not self.native_planes and profile.planes not in (RGBS, GRAYS):
            raise BackendError(
                f"OpenVINO(planes='rgb') takes RGB or luma in float32, not {profile.planes}: use planes='native'"
            )
        precision = self.choose_precision(model, profile, check).precision
        return self._compile(model, profile, precision, streams)

    def choose_precision(self, model: ModelFile, profile: Profile, check: Check | None) -> Choice:
        """Return the precision in which a model runs at a size, and why; see :attr:`precision`."""
        if self.precision != "auto":
            return Choice(self.precision, "as given by precision=")
        if self.native_planes:
            return Choice("fp32", "colour conversion in the graph needs it")
        if self._half == "bf16" and not has_bfloat():
            return Choice("fp32", "this processor has no bfloat16")
        if check is None:
            return Choice("fp32", "half precision is only used where results are verified")

        def open_session(precision: str, size: Profile) -> Session:
            return self._compile(model, size, precision, 1)[0]

        identity = f"openvino {importlib.metadata.version('openvino')} {self.device} {processor()}"
        return choose_precision(self._half, model, profile, identity=identity, open_session=open_session)

    def _compile(self, model: ModelFile, profile: Profile, precision: str, streams: int) -> Sequence[Session]:
        model = without_unread(model)
        if self.native_planes:
            model = with_planes(model, profile)
        if precision == "bf16":
            model = to_bfloat(model)
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f16" if precision == "fp16" else "f32",  # bf16 is written into the graph
        }
        if self.device.startswith("CPU"):
            options |= {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": str(self.threads)}
        size = model.spec.padded(profile.height), model.spec.padded(profile.width)
        try:
            with signal_stack_kept():
                state, synthesis = (
                    None if part is None else compiled_graph(part, size, self.device, options) for part in model.split()
                )
        except RuntimeError as error:
            raise BackendError(f"OpenVINO cannot compile the model: {str(error).strip().splitlines()[-1]}") from error
        assert synthesis is not None
        return [OpenVINOSession(model, profile, state, synthesis) for _ in range(streams)]


@functools.cache
def devices() -> list[str]:
    """Return the devices that OpenVINO finds here, such as ``["CPU", "GPU"]``."""
    import openvino

    return list(openvino.Core().available_devices)


def _check_device(device: str) -> None:
    if device != "AUTO" and not any(seen.startswith(device) for seen in devices()):
        raise BackendError(
            f"OpenVINO finds no device {device} here, only {', '.join(devices())}: install its driver, or choose "
            "another device"
        )


def device_name(device: str) -> str:
    """Return the model name of a device, such as ``"Intel(R) Arc(TM) A770 Graphics (dGPU)"`` for ``"GPU"``.

    Raises :class:`BackendError` if there is no such device.
    """
    import openvino

    _check_device(device)
    return str(openvino.Core().get_property(device, "FULL_DEVICE_NAME"))


@functools.cache
def has_bfloat() -> bool:
    """Return whether the processor computes in bfloat16 natively (AVX-512-BF16, AMX)."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
