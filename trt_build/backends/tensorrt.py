"""The TensorRT and TensorRT-RTX backends: engines from the cache, built if missing, run on one or more GPUs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, get_args

from trt_build.engines.build import BuildOptions, FrontEnd
from trt_build.engines.cache import EngineCache
from trt_build.engines.engine import Engine
from trt_build.engines.kept_kernels import KernelCache
from trt_build.engines.obtain import engine_key, obtain_engine, stored_target
from trt_build.engines.progress import bar
from trt_build.engines.runtimes import Runtime, load, missing
from trt_build.engines.targets import RTX_TARGETS, Gpu, current_gpu, is_supported, usable_gpus
from trt_build.graphs.dynamic import input_shapes, served_size
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.arguments import check_choice, check_whole, is_whole
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.log import logger
from vs_interp.size import Size

from .base import Backend, Check, Session
from .cuda import CudaDevice, missing_cuda
from .device import Device
from .loaded import LoadedEngine, PlanError
from .slots import bindings
from .streams import MOST_STREAMS, Streams, open_slots, with_room


@dataclass(frozen=True, kw_only=True)
class EngineBackend(Backend):
    """The options that TensorRT and TensorRT-RTX share."""

    device: int | None = None
    """Index of the GPU in CUDA's order; by default the first that the runtime supports."""

    devices: Sequence[int] | None = None
    """Several GPUs instead of one; windows are distributed among them."""

    streams: Streams = "auto"
    """Windows processed at the same time on each GPU; reduced, with a warning, if there is not enough memory.
    ``"auto"`` means one to three, depending on the memory that one takes and that is left."""

    optimization: int = 3
    """0 (quick to build) to 5 (slow to build, perhaps faster to run)."""

    workspace: int | None = None
    """MiB of scratch memory for all streams of a GPU; by default as much as the runtime likes."""

    dynamic: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None = None
    """Smallest, usual and largest (width, height) of one engine for clips of many sizes; the network must take all
    three without padding.  By default every size has an engine of its own, which is faster."""

    front_end: FrontEnd = "onnx"
    """``"onnx"`` builds engines from the model file at first use.  ``"torch"`` takes those that ``vs-interp build
    --checkpoint`` has built from a network with torch-tensorrt; these work in RGB."""

    runtime: ClassVar[Runtime]

    def __post_init__(self) -> None:
        if self.devices is not None:
            if not isinstance(self.devices, Sequence) or isinstance(self.devices, str):
                raise ArgumentError(f"devices is {self.devices!r}: give a list of GPUs' numbers such as [0, 1]")
            object.__setattr__(self, "devices", tuple(self.devices))
        given = [self.device] if self.devices is None else list(self.devices)
        numbers = [number for number in given if number is not None]
        if not given or len(set(numbers)) < len(numbers) or not all(is_whole(number, 0) for number in numbers):
            raise ArgumentError(f"devices={given}: name at least one GPU, each once, counted from 0")
        if self.streams != "auto":
            check_whole("streams", self.streams, examples="2, or 'auto'")
        check_whole("optimization", self.optimization, least=0, most=5)
        if self.workspace is not None:
            check_whole("workspace", self.workspace, examples="1024 (MiB), or None")
        check_choice("front_end", self.front_end, get_args(FrontEnd))
        if self.dynamic is not None and not _are_sizes(self.dynamic):
            raise ArgumentError(
                f"dynamic is {self.dynamic!r}: give the smallest, usual and largest (width, height), such as "
                "((256, 256), (1280, 768), (1920, 1152))"
            )
        self.build_options()

    @property
    def native_planes(self) -> bool:
        return self.front_end == "onnx"

    @property
    def numbers(self) -> tuple[int, ...]:
        """The indices of the GPUs that are used."""
        if self.devices is not None:
            return tuple(self.devices)
        if self.device is not None:
            return (self.device,)
        return tuple(gpu.index for gpu in usable_gpus(self.runtime)[:1])

    def build_options(self) -> BuildOptions:
        """Return the options for building an engine."""
        streams = MOST_STREAMS if self.streams == "auto" else self.streams
        return BuildOptions(
            runtime=self.runtime,
            optimization=self.optimization,
            workspace=self.workspace,
            streams=streams,
            front_end=self.front_end,
            dynamic=None if self.dynamic is None else (Size(*self.dynamic[0]), Size(*self.dynamic[2])),
        )

    def built_profile(self, profile: Profile) -> Profile:
        """Return the profile that an engine for the given one is built for: the same, or the usual size of a range."""
        if self.dynamic is None:
            return profile
        return replace(profile, width=self.dynamic[1][0], height=self.dynamic[1][1])

    @classmethod
    def missing(cls) -> str | None:
        return missing(cls.runtime) or missing_cuda() or _missing_gpu(cls.runtime)

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        absent = self.missing()
        if absent:
            raise BackendError(absent)
        for number in self.numbers:
            unsupported = _unsupported(self.runtime, current_gpu(number))
            if unsupported:
                raise BackendError(f"GPU {number}: {unsupported}")
        turns = itertools.zip_longest(*(self._open_on(number, model, profile, check) for number in self.numbers))
        return [slot for turn in turns for slot in turn if slot is not None]

    def _open_on(self, number: int, model: ModelFile, profile: Profile, check: Check | None) -> list[Session]:
        """Return the slots of one GPU; an engine that the runtime rejects is removed and rebuilt once."""
        device, options = CudaDevice(number), self.build_options()
        built = self.built_profile(profile)
        if options.dynamic is not None:
            profile = served_size(model, profile, options.dynamic)
        try:
            return self._serve(device, model, built, profile, check)
        except PlanError as error:
            logger.warning("the engine is rebuilt: %s", error)
        here, cache = current_gpu(number), EngineCache()
        target = stored_target(model, built, options, here, cache)
        entry = cache.find(engine_key(model, built, options, target, here))
        if entry is not None:
            cache.remove(entry)
        return self._serve(device, model, built, profile, check)

    def _serve(
        self, device: CudaDevice, model: ModelFile, built: Profile, served: Profile, check: Check | None
    ) -> list[Session]:
        """Return slots that run at the profile ``served``, with the engine built for ``built``."""
        here = current_gpu(device.index)
        options, cache = self.build_options(), EngineCache()
        target = stored_target(model, built, options, here, cache)
        kernels = KernelCache(cache.folder, engine_key(model, built, options, target, here).digest, here)

        def verify(engine: Engine) -> Mapping[str, float]:
            assert check is not None
            loaded = load_engine(engine, options, model, built, device=device)
            (slot,) = open_slots(device, loaded.executors, bindings(model.spec, built), 1)
            scores = check(slot, model, built)
            kernels.write(loaded.kernels())  # so that they need not be compiled again to serve
            return scores

        def refuse() -> Engine:
            raise BackendError(
                f"there is no torch-tensorrt engine of {model.spec.name} at {built.width}x{built.height} for this GPU:"
                f" run `vs-interp build MODEL --checkpoint FILE --size {built.width}x{built.height}`"
            )

        with bar() as progress:
            engine = obtain_engine(
                model, built, options, target,
                device=here, cache=cache, verify=verify if check else None, progress=progress,
                construct=refuse if self.front_end == "torch" else None,
            )  # fmt: skip
        kept = kernels.read(engine.plans)
        loaded = load_engine(engine, options, model, served, device=device, kernels=kept)
        slots = open_slots(device, loaded.executors, bindings(model.spec, served), self.streams)
        kernels.write(loaded.kernels())
        return slots


@dataclass(frozen=True, kw_only=True)
class TensorRT(EngineBackend):
    """Run on NVIDIA GPUs with TensorRT 10 or 11; options as in :class:`EngineBackend`."""

    name: ClassVar[str] = "tensorrt"
    runtime: ClassVar[Runtime] = "tensorrt"


@dataclass(frozen=True, kw_only=True)
class TensorRTRTX(EngineBackend):
    """Run on RTX GPUs with TensorRT-RTX, which builds engines in seconds; options as in :class:`EngineBackend`."""

    name: ClassVar[str] = "tensorrt-rtx"
    runtime: ClassVar[Runtime] = "tensorrt-rtx"


def load_engine(
    engine: Engine,
    options: BuildOptions,
    model: ModelFile,
    profile: Profile,
    *,
    device: Device,
    kernels: Mapping[str, bytes] | None = None,
) -> LoadedEngine:
    """Return an engine loaded for the profile's size.

    Raises :class:`PlanError` if the runtime rejects it, and what :func:`~trt_build.backends.streams.with_room` does.
    """
    shapes = input_shapes(model, profile) if options.dynamic else {}
    runtime = load(options.runtime)
    return with_room(device, lambda: LoadedEngine(runtime, engine.plans, shapes, kernels, device=device))


def _are_sizes(value: object) -> bool:
    """Return whether a value is three pairs of whole numbers."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 3
        and all(isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_whole, pair)) for pair in value)
    )


def _missing_gpu(runtime: Runtime) -> str | None:
    """Return why the runtime works with no GPU of this machine; ``None`` if it works with one."""
    try:
        load(runtime)
    except BackendError as error:
        return str(error)
    return None if usable_gpus(runtime) else _unsupported(runtime, current_gpu())


def _unsupported(runtime: Runtime, gpu: Gpu) -> str | None:
    """Return why the runtime does not support a GPU; ``None`` if it does."""
    if is_supported(gpu.target, runtime):
        return None
    known = ", ".join(map(str, RTX_TARGETS))
    return f"TensorRT-RTX does not support the {gpu.name} ({gpu.target}), only {known}: use TensorRT"
