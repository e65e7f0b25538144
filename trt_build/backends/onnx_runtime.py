"""The ONNX Runtime backend: CPUs and whatever GPUs its execution providers support."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import onnx

from trt_build.graphs.memory import streams_that_fit
from trt_build.graphs.precision import to_half
from trt_build.graphs.unread import without_unread
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, RGBS, Profile, made_profile
from vs_interp.arguments import check_choice, check_whole
from vs_interp.errors import BackendError
from vs_interp.extras import how_to_get
from vs_interp.host import cores, processor

from .base import Backend, Check, Picture, Session
from .frames import fill
from .precision import Choice, choose_precision

if TYPE_CHECKING:
    import onnxruntime

Provider = Literal["cpu", "cuda", "dml", "coreml", "migraphx"]

PROVIDERS: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
}
PACKAGES = {"cuda": "onnxruntime-gpu", "dml": "onnxruntime-directml", "migraphx": "onnxruntime-migraphx"}
"""Provider → the package that contains it, if that is not ``onnxruntime``."""

MEMORIES = {"cuda": "cuda", "migraphx": "cuda"}
"""Provider → ONNX Runtime's name of its device's memory, if tensors can be bound to it."""


@dataclass(frozen=True, kw_only=True)
class OnnxRuntime(Backend):
    """Run with ONNX Runtime: for GPUs that TensorRT does not support, and systems without OpenVINO."""

    provider: Provider = "cpu"
    """``"cpu"``, ``"cuda"`` (NVIDIA), ``"dml"`` (any GPU on Windows), ``"coreml"`` (macOS) or ``"migraphx"`` (AMD)."""

    device: int = 0
    """Index of the device, from 0, for providers with several."""

    threads: int = field(default_factory=cores)
    """CPU threads that all streams share; by default as many as this process may use."""

    streams: int = 2
    """Windows processed at the same time; reduced, with a warning, if there is not enough memory."""

    precision: Literal["auto", "fp32", "fp16"] = "auto"
    """``"auto"`` uses FP16 on a GPU if the model's frames of a test film then reach 55 dB against FP32, and all but one
    in 10,000 samples are within 4 8-bit codes.  That is tested once and the result stored.  The CPU runs FP32."""

    name: ClassVar[str] = "onnxruntime"

    def __post_init__(self) -> None:
        check_choice("provider", self.provider, tuple(PROVIDERS))
        check_choice(
            "precision", self.precision, ("auto", "fp32") if self.provider == "cpu" else ("auto", "fp32", "fp16")
        )
        check_whole("device", self.device, least=0)
        check_whole("threads", self.threads)
        check_whole("streams", self.streams)

    @property
    def native_planes(self) -> bool:
        return False

    @classmethod
    def missing(cls) -> str | None:
        if importlib.util.find_spec("onnxruntime") is None:
            return f"the package onnxruntime is not installed: {how_to_get('onnxruntime')}"
        return None

    @classmethod
    def found(cls) -> str:
        return ", ".join(available())

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        absent = self.missing()
        if absent:
            raise BackendError(absent)
        if self.provider not in available():
            package = PACKAGES.get(self.provider, "onnxruntime")
            raise BackendError(
                f"this ONNX Runtime has no provider {self.provider}, only {', '.join(available())}: "
                f"pip install {package} in its place, or choose another provider"
            )
        if profile.planes not in (RGBS, GRAYS):
            raise BackendError(f"ONNX Runtime takes RGB or luma in float32, not {profile.planes}")
        model.spec.check_size(profile.height, profile.width)
        streams = streams_that_fit(model, profile, self.streams)
        return self._compile(model, profile, self.choose_precision(model, profile, check).precision, streams)

    def choose_precision(self, model: ModelFile, profile: Profile, check: Check | None) -> Choice:
        """Return the precision in which a model runs at a size, and why; see :attr:`precision`."""
        if self.precision != "auto":
            return Choice(self.precision, "as given by precision=")
        if self.provider == "cpu":
            return Choice("fp32", "ONNX Runtime has nothing faster on a CPU")
        if check is None:
            return Choice("fp32", "half precision is only used where results are verified")

        def open_session(precision: str, size: Profile) -> Session:
            return self._compile(model, size, precision, 1)[0]

        version = importlib.metadata.version(PACKAGES.get(self.provider, "onnxruntime"))
        identity = f"onnxruntime {version} {self.provider} {self.device} {processor()}"
        return choose_precision("fp16", model, profile, identity=identity, open_session=open_session)

    def _compile(self, model: ModelFile, profile: Profile, precision: str, streams: int) -> Sequence[Session]:
        model = without_unread(model)
        if precision == "fp16":
            model = to_half(model)
        size = {"height": model.spec.padded(profile.height), "width": model.spec.padded(profile.width)}
        memory = (MEMORIES[self.provider], self.device) if self.provider in MEMORIES else ("cpu", 0)
        threads = max(1, self.threads // streams)
        sessions = []
        for _ in range(streams):  # not one for all: DirectML, for one, allows only one thread in a session
            state, synthesis = (None if part is None else self._open(part, size, threads) for part in model.split())
            assert synthesis is not None
            sessions.append(_OnnxSession(model, profile, state, synthesis, memory))
        return sessions

    def _open(self, graph: onnx.ModelProto, size: dict[str, int], threads: int) -> onnxruntime.InferenceSession:
        onnxruntime = _imported()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_mem_pattern = self.provider != "dml"  # DirectML does not support it
        options.log_severity_level = 3  # errors only
        for name, length in size.items():
            options.add_free_dimension_override_by_name(name, length)
        own = {} if self.provider in ("cpu", "coreml") else {"device_id": str(self.device)}
        try:
            return onnxruntime.InferenceSession(
                graph.SerializeToString(), options, providers=[(PROVIDERS[self.provider], own)]
            )
        except Exception as error:  # ONNX Runtime's exceptions have no other base in common
            raise BackendError(f"ONNX Runtime cannot open the model: {_last_line(error)}") from error


def available() -> list[Provider]:
    """Return the providers of the installed ONNX Runtime."""
    found = _imported().get_available_providers()
    return [name for name, provider in PROVIDERS.items() if provider in found]


def _imported() -> ModuleType:
    """Import ONNX Runtime with its telemetry off, which would write files and report to Microsoft.

    ``ORT_DISABLE_TELEMETRY`` is left alone if the user has set it.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return importlib.import_module("onnxruntime")


class _OnnxSession:
    """One stream.  Frames and state stay bound between runs, in the device's memory if the provider allows that."""

    def __init__(
        self,
        model: ModelFile,
        profile: Profile,
        state: onnxruntime.InferenceSession | None,
        synthesis: onnxruntime.InferenceSession,
        memory: tuple[str, int],
    ) -> None:
        spec, size = model.spec, (model.spec.padded(profile.height), model.spec.padded(profile.width))
        self._spec, self._state, self._synthesis, self._memory = spec, state, synthesis, memory
        self._clamped = spec.input_range == "clamped"
        made = made_profile(spec, profile)
        shape = (1, spec.window.channels, *size)
        self._frames = {name: np.zeros(shape, np.float32) for name in spec.frame_inputs}
        self._time = np.zeros((1, 1, 1, 1), np.float32)
        self._values: dict[str, Any] = {}
        self._made_dtype = made.planes.dtype
        self._keys: list[int | None] = [None] * len(self._frames)

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """See :class:`~trt_build.backends.base.Session`."""
        try:
            for index, (name, buffer) in enumerate(self._frames.items()):
                if self._keys[index] != keys[index]:
                    fill(list(buffer[0]), window[index])
                    if self._clamped:
                        np.clip(buffer, 0, 1, out=buffer)
                    self._values[name] = self._on_device(buffer)
                    self._keys[index] = keys[index]
            if self._state is not None:
                self._values |= self._outputs(self._state, self._memory)
            if not self._spec.takes_time:
                self._take(out)
                return
            for time, picture in zip(times, out, strict=True):
                self._time[...] = time
                self._values["time"] = self._on_device(self._time)
                self._take([picture])
        except BackendError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no other base in common
            self._keys = [None] * len(self._frames)
            raise BackendError(f"ONNX Runtime failed: {_last_line(error)}") from error

    def _on_device(self, values: np.ndarray[Any, Any]) -> onnxruntime.OrtValue:
        return _imported().OrtValue.ortvalue_from_numpy(values, *self._memory)

    def _outputs(self, session: onnxruntime.InferenceSession, memory: tuple[str, int]) -> dict[str, Any]:
        """Run a graph on the bound inputs, and return its outputs in the named memory."""
        binding = session.io_binding()
        for port in session.get_inputs():
            binding.bind_ortvalue_input(port.name, self._values[port.name])
        names = [port.name for port in session.get_outputs()]
        for name in names:
            binding.bind_output(name, *memory)
        session.run_with_iobinding(binding)
        return dict(zip(names, binding.get_outputs(), strict=True))

    def _take(self, out: Sequence[Picture]) -> None:
        """Run the synthesis and copy its pictures, which are larger than ``out`` if frames were padded."""
        (value,) = self._outputs(self._synthesis, ("cpu", 0)).values()
        for picture, made in zip(out, value.numpy(), strict=False):
            for plane, values in zip(picture, made, strict=True):
                plane[...] = values[: plane.shape[0], : plane.shape[1]].astype(plane.dtype, copy=False)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
