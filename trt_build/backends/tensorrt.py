"""TensorRT and TensorRT-RTX: engines out of the cache, or built first, served by slots on one GPU or several."""

from __future__ import annotations

import itertools
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.spec import NetworkSpec

from ..build import BuildOptions
from ..cache import EngineCache
from ..engine import Engine
from ..model_file import ModelFile
from ..obtain import engine_key, obtain_engine
from ..profile import Profile
from ..progress import bar
from ..runtimes import Runtime, load, missing
from ..targets import RTX_TARGETS, current_device
from .base import Backend, Session
from .cuda import CudaDevice, missing_cuda
from .frames import PictureLayout
from .kernels import KernelCache
from .plans import PlanError, Plans
from .slots import MOST_STREAMS, Layout, Slot, Streams, open_slots


@dataclass(frozen=True, kw_only=True)
class EngineBackend(Backend):
    """What TensorRT and TensorRT-RTX share.

    device, devices
        Number of the GPU, as CUDA counts them; or several, among which windows are dealt in turn.
    streams
        Windows worked on at the same time on each GPU.  ``"auto"`` takes three, or as many as its memory has room for;
        a number is lowered, with a line that says so, where memory ends before.
    optimization
        0 (quick to build) to 5 (slow to build, perhaps faster to run).
    workspace
        MiB of scratch memory that the engine may use for all streams of a GPU; by default as much as it likes.
    """

    device: int = 0
    devices: Sequence[int] | None = None
    streams: Streams = "auto"
    optimization: int = 3
    workspace: int | None = None

    native_planes: ClassVar[bool] = True
    runtime: ClassVar[Runtime]

    def __post_init__(self) -> None:
        if self.devices is not None:
            object.__setattr__(self, "devices", tuple(self.devices))
        if not self.numbers or len(set(self.numbers)) < len(self.numbers) or min(self.numbers) < 0:
            raise ArgumentError(f"devices={list(self.numbers)}: name each GPU once, counted from 0, and one at least")
        if self.streams != "auto" and (not isinstance(self.streams, int) or self.streams < 1):
            raise ArgumentError(f"streams={self.streams!r}: it must be 'auto', or a whole number from 1 up")
        self.build_options()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The GPUs that are used."""
        return (self.device,) if self.devices is None else tuple(self.devices)

    def build_options(self) -> BuildOptions:
        """Return what of the options changes the engine: their identity in its cache."""
        streams = MOST_STREAMS if self.streams == "auto" else self.streams
        return BuildOptions(
            runtime=self.runtime, optimization=self.optimization, workspace=self.workspace, streams=streams
        )

    @classmethod
    def missing(cls) -> str | None:
        return missing(cls.runtime) or missing_cuda() or cls._unsupported()

    @classmethod
    @abstractmethod
    def _unsupported(cls) -> str | None:
        """Return why the runtime does not work with the first GPU here; ``None`` where it does."""

    def open(self, model: ModelFile, profile: Profile) -> Sequence[Session]:
        absent = self.missing()
        if absent:
            raise BackendError(absent)
        turns = itertools.zip_longest(*(self._open_on(number, model, profile) for number in self.numbers))
        return [slot for turn in turns for slot in turn if slot is not None]

    def _open_on(self, number: int, model: ModelFile, profile: Profile) -> list[Slot]:
        """Return the slots of one GPU; an engine that it refuses is built once more."""
        device = CudaDevice(number)
        try:
            return self._serve(device, model, profile)
        except PlanError as error:
            print(f"vs-interp: the engine is built again: {error}", file=sys.stderr)
        self._forget(number, model, profile)
        return self._serve(device, model, profile)

    def _serve(self, device: CudaDevice, model: ModelFile, profile: Profile) -> list[Slot]:
        from ..verify import verify_session  # it runs sessions, and so imports this package

        here = current_device(device.index)
        options, cache, runtime = self.build_options(), EngineCache(), load(self.runtime)
        form = layout(model.spec, profile)

        def verify(engine: Engine) -> Mapping[str, float]:
            (slot,) = open_slots(device, Plans(runtime, engine.plans).executors, form, 1)
            return verify_session(slot, model, profile)

        with bar() as progress:
            engine = obtain_engine(
                model, profile, options, here.target, device=here, cache=cache, verify=verify, progress=progress
            )
        digest = engine_key(model, profile, options, here.target, here).digest
        kernels = KernelCache(cache.folder, digest, here.name)
        plans = Plans(runtime, engine.plans, kernels.read(engine.plans))
        slots = open_slots(device, plans.executors, form, self.streams)
        kernels.write(plans.kernels())
        return slots

    def _forget(self, number: int, model: ModelFile, profile: Profile) -> None:
        """Remove an engine from the cache."""
        here = current_device(number)
        cache = EngineCache()
        digest = engine_key(model, profile, self.build_options(), here.target, here).digest
        for entry in cache.entries():
            if entry.path.stem == digest:
                cache.remove(entry)


@dataclass(frozen=True, kw_only=True)
class TensorRT(EngineBackend):
    """Run on NVIDIA GPUs with TensorRT 10 or 11; see :class:`EngineBackend` for the options."""

    name: ClassVar[str] = "tensorrt"
    runtime: ClassVar[Runtime] = "tensorrt"

    @classmethod
    def _unsupported(cls) -> str | None:
        try:
            load(cls.runtime)
        except BackendError as error:
            return str(error)
        return None


@dataclass(frozen=True, kw_only=True)
class TensorRTRTX(EngineBackend):
    """Run on RTX GPUs with TensorRT-RTX, whose engines are built in seconds; see :class:`EngineBackend`."""

    name: ClassVar[str] = "rtx"
    runtime: ClassVar[Runtime] = "rtx"

    @classmethod
    def _unsupported(cls) -> str | None:
        here = current_device()
        if here.target in RTX_TARGETS:
            return None
        known = ", ".join(map(str, RTX_TARGETS))
        return f"TensorRT-RTX does not know the {here.name} ({here.target}; it knows {known}): use TensorRT"


def layout(spec: NetworkSpec, profile: Profile) -> Layout:
    """Return how pictures meet the tensors of the graphs that :func:`trt_build.colour.with_planes` writes."""
    planes, scale = range(profile.planes.planes), spec.output.scale
    made = tuple((height * scale, width * scale) for height, width in profile.plane_sizes)
    return Layout(
        frames=tuple(tuple(f"{frame}_plane{plane}" for plane in planes) for frame in spec.frame_inputs),
        outputs=tuple(f"output_plane{plane}" for plane in planes),
        frame=PictureLayout(profile.plane_sizes, profile.planes.dtype),
        picture=PictureLayout(made, profile.planes.dtype),
        takes_time=spec.takes_time,
    )
