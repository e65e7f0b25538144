"""Build an engine: model file → FP16 graphs with the clip's planes → one plan a graph, strongly typed.

TensorRT 10, TensorRT 11 and TensorRT-RTX share this path; they part at the compute capability (RTX builds for any GPU
from any machine) and at the timing cache (RTX measures nothing while it builds).
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import onnx

from vs_interp.errors import ArgumentError

from .build_log import BuildLog
from .colour import with_planes
from .engine import Engine
from .model_file import ModelFile
from .precision import to_half
from .profile import RGBS, Profile
from .progress import Progress, held_interrupts, monitor, silent
from .runtimes import Runtime, load
from .targets import Target, check_supported
from .timing_cache import TimingCache

Size = tuple[int, int]
"""Width and height in pixels."""

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How an engine is built.

    runtime
        What it is built with and for.
    optimization
        0 (quick to build) to 5 (slow to build, perhaps faster to run); 3 is TensorRT's own choice.
    workspace
        MiB of scratch memory for all streams together; ``None`` leaves it to TensorRT (all there is).
    streams
        Windows that will be worked on at once; with more than one, an engine opens no streams of its own beside its
        slot's.
    dynamic
        Smallest and largest (width, height) that the engine takes beside the profile's own, for which it is tuned; of
        RGB float planes only.  ``None`` for an engine of one size, which is faster.
    """

    runtime: Runtime = "tensorrt"
    optimization: int = 3
    workspace: int | None = None
    streams: int = 1
    dynamic: tuple[Size, Size] | None = None

    def __post_init__(self) -> None:
        if self.optimization not in range(6):
            raise ArgumentError(f"the optimization level {self.optimization} does not exist: it goes from 0 to 5")
        if self.streams < 1:
            raise ArgumentError(f"{self.streams} streams cannot work: give 1 or more")
        if self.workspace is not None and self.workspace < self.streams:
            raise ArgumentError(f"a workspace of {self.workspace} MiB is too small: give 1 MiB a stream or more")

    def identity(self) -> dict[str, Any]:
        """Return what of the options changes an engine's bytes, and nothing else, as JSON values."""
        return {
            "optimization": self.optimization,
            "workspace": None if self.workspace is None else self.workspace // self.streams,
            "auxiliary_streams": self.streams == 1,
            "dynamic": None if self.dynamic is None else [list(size) for size in self.dynamic],
        }


def engine_graphs(model: ModelFile, profile: Profile, options: BuildOptions) -> dict[str, onnx.ModelProto]:
    """Return the graphs that become the engine's plans: ``"state"`` where there is one, and ``"synthesis"``.

    They are FP16 with FP32 islands and take and give the profile's planes (see :func:`with_planes`); a dynamic engine
    takes padded RGB frames instead.  Raises :class:`ArgumentError` where the sizes do not fit the network.
    """
    half = to_half(model)
    if options.dynamic is None:
        half = with_planes(half, profile)
    else:
        _check_dynamic(model, profile, options.dynamic)
    state, synthesis = half.split()
    return {"synthesis": synthesis} if state is None else {"state": state, "synthesis": synthesis}


def build_engine(
    model: ModelFile,
    profile: Profile,
    options: BuildOptions,
    target: Target,
    *,
    about: Mapping[str, Any] | None = None,
    timing: TimingCache | None = None,
    progress: Progress = silent,
    log: BuildLog | None = None,
) -> Engine:
    """Return the engine for one GPU; nothing is written but the timing cache.

    ``about`` goes into the engine's header, ``log`` collects all that the runtime says.  Raises
    :class:`ArgumentError` for a target or a size that cannot be had, :class:`BackendError` where the build fails,
    with the runtime's first error and the node it speaks of.
    """
    check_supported(target, options.runtime)
    graphs = engine_graphs(model, profile, options)
    plans = build_plans(graphs, profile, options, target, timing=timing, progress=progress, log=log)
    return Engine(plans, dict(about or {}))


def build_plans(
    graphs: Mapping[str, onnx.ModelProto],
    profile: Profile,
    options: BuildOptions,
    target: Target,
    *,
    timing: TimingCache | None = None,
    progress: Progress = silent,
    log: BuildLog | None = None,
) -> dict[str, bytes]:
    """Return the plan of each of :func:`engine_graphs`; raises what :func:`build_engine` does."""
    runtime, plans = load(options.runtime), {}
    log = log if log is not None else BuildLog()
    for name, graph in graphs.items():
        log.start(name, graph)
        build = _Build(runtime, graph, options, log)
        plans[name] = build.run(name, profile, target, timing, progress)
        del build
        gc.collect()  # the builder keeps hundreds of MB, in cycles with its logger
    return plans


class _Build:
    """One graph on its way to a plan; TensorRT's objects must live as long as it does."""

    def __init__(self, runtime: ModuleType, graph: onnx.ModelProto, options: BuildOptions, log: BuildLog) -> None:
        self.runtime, self.options, self.log = runtime, options, log
        self.logger = log.logger(runtime)
        self.builder = runtime.Builder(self.logger)
        flags = 1 << int(runtime.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        self.network = self.builder.create_network(flags)
        self.parser = runtime.OnnxParser(self.network, self.logger)
        if not self.parser.parse(graph.SerializeToString()):
            errors = [self.parser.get_error(index) for index in range(self.parser.num_errors)]
            raise log.parse_failure(errors)
        self.config = self.builder.create_builder_config()

    def run(self, name: str, profile: Profile, target: Target, timing: TimingCache | None, progress: Progress) -> bytes:
        """Return the plan."""
        self._configure(target)
        if self.options.dynamic is not None:
            self._add_profile(profile, self.options.dynamic)
        if timing is not None and self.options.runtime == "tensorrt":
            timing.load(self.config)
        with held_interrupts() as stop:
            watch = monitor(self.runtime, name, progress, stop)
            self.config.progress_monitor = watch
            plan = self.builder.build_serialized_network(self.network, self.config)
        if plan is None:
            raise self.log.build_failure()
        progress(name, 1.0)
        if timing is not None and self.options.runtime == "tensorrt":
            timing.store(self.config)
        return bytes(memoryview(plan))

    def _configure(self, target: Target) -> None:
        options, config, runtime = self.options, self.config, self.runtime
        config.clear_flag(runtime.BuilderFlag.TF32)  # 10 bits of a chroma sample are too few
        config.builder_optimization_level = options.optimization
        if options.streams > 1:
            config.max_aux_streams = 0
        if options.workspace is not None:
            limit = options.workspace * MIB // options.streams
            config.set_memory_pool_limit(runtime.MemoryPoolType.WORKSPACE, limit)
        if options.runtime == "rtx":
            config.num_compute_capabilities = 1
            capability = getattr(runtime.ComputeCapability, f"SM{target.major}{target.minor}")
            config.set_compute_capability(capability, 0)

    def _add_profile(self, profile: Profile, limits: tuple[Size, Size]) -> None:
        """Give every input with free height and width its smallest, usual and largest shape."""
        shapes = self.builder.create_optimization_profile()
        sizes = (limits[0], (profile.width, profile.height), limits[1])
        for index in range(self.network.num_inputs):
            tensor = self.network.get_input(index)
            shape = tuple(tensor.shape)
            if -1 in shape:
                shapes.set_shape(tensor.name, *((*shape[:2], height, width) for width, height in sizes))
        if self.config.add_optimization_profile(shapes) < 0:
            raise self.log.build_failure()


def _check_dynamic(model: ModelFile, profile: Profile, limits: tuple[Size, Size]) -> None:
    spec = model.spec
    if profile.planes != RGBS:
        raise ArgumentError("a dynamic engine takes RGB float planes only: give --format RGBS, or leave out --dynamic")
    sizes = {"smallest": limits[0], "usual": (profile.width, profile.height), "largest": limits[1]}
    for name, (width, height) in sizes.items():
        if (spec.padded(width), spec.padded(height)) != (width, height):
            raise ArgumentError(
                f"the {name} size {width}x{height} does not suit {spec.name}: width and height must be multiples of"
                f" {spec.multiple_of} from {spec.minimum} up; next is {spec.padded(width)}x{spec.padded(height)}"
            )
    for smaller, larger in (("smallest", "usual"), ("usual", "largest")):
        if any(a > b for a, b in zip(sizes[smaller], sizes[larger], strict=True)):
            raise ArgumentError(
                f"the {smaller} size {'x'.join(map(str, sizes[smaller]))} exceeds the {larger} size"
                f" {'x'.join(map(str, sizes[larger]))}: order them MIN OPT MAX"
            )
