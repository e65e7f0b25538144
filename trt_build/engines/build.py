"""Build an engine: model file → FP16 graphs with the clip's planes → one plan a graph, strongly typed.

TensorRT 10, TensorRT 11 and TensorRT-RTX share this path; they part at the compute capability (RTX builds for any GPU
from any machine) and at the timing cache (RTX measures nothing while it builds).
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import onnx

from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.crossing import cross_in_half
from trt_build.graphs.dynamic import Shapes, check_range, input_shapes, with_free_sizes
from trt_build.graphs.precision import to_half
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import ArgumentError
from vs_interp.size import Size

from .build_log import BuildLog
from .engine import Engine
from .progress import Progress, held_interrupts, monitor, silent
from .runtime_log import runtime_log
from .runtimes import Runtime, load
from .targets import EVERY, Target, check_supported
from .timing_cache import TimingCache

MIB = 2**20

FrontEnd = Literal["onnx", "torch"]
"""What an engine is built from."""


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
        Smallest and largest (width, height) that the engine takes beside the profile's own, for which it is tuned; all
        three are sizes that the network takes unpadded.  ``None`` for an engine of one size, which is faster.
    front_end
        ``"onnx"``: from the model file's graph.  ``"torch"``: from the network itself, by torch-tensorrt (see
        :mod:`trt_build.pytorch.front_end`).
    """

    runtime: Runtime = "tensorrt"
    optimization: int = 3
    workspace: int | None = None
    streams: int = 1
    dynamic: tuple[Size, Size] | None = None
    front_end: FrontEnd = "onnx"

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
            "front_end": self.front_end,
            "dynamic": None if self.dynamic is None else [list(size) for size in self.dynamic],
        }


def engine_graphs(model: ModelFile, profile: Profile, options: BuildOptions) -> dict[str, onnx.ModelProto]:
    """Return the graphs that become the engine's plans: ``"state"`` where there is one, and ``"synthesis"``.

    They are FP16 with FP32 islands and take and give the profile's planes (see :func:`with_planes`), at any size where
    the options say ``dynamic``.  Raises :class:`ArgumentError` where the sizes do not fit the network.
    """
    half = with_planes(to_half(model), profile)
    if options.dynamic is not None:
        check_range(model, profile, options.dynamic)
        half = with_free_sizes(half)
    state, synthesis = half.split()
    if state is None:
        return {"synthesis": synthesis}
    cross_in_half(state, synthesis)
    return {"state": state, "synthesis": synthesis}


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
    graphs, ranges = engine_graphs(model, profile, options), shape_ranges(model, profile, options)
    plans = build_plans(graphs, options, [target], ranges=ranges, timing=timing, progress=progress, log=log)
    return Engine(plans, dict(about or {}))


def shape_ranges(model: ModelFile, profile: Profile, options: BuildOptions) -> Sequence[Shapes]:
    """Return the smallest, usual and largest shapes of the inputs; nothing for an engine of one size."""
    if options.dynamic is None:
        return ()
    sizes = (options.dynamic[0], (profile.width, profile.height), options.dynamic[1])
    return [input_shapes(model, replace(profile, width=width, height=height)) for width, height in sizes]


def build_plans(
    graphs: Mapping[str, onnx.ModelProto],
    options: BuildOptions,
    targets: Sequence[Target],
    *,
    ranges: Sequence[Shapes] = (),
    timing: TimingCache | None = None,
    progress: Progress = silent,
    log: BuildLog | None = None,
) -> dict[str, bytes]:
    """Return the plan of each of :func:`engine_graphs`; raises what :func:`build_engine` does.

    TensorRT-RTX makes plans that hold the kernels of all ``targets``; TensorRT takes one, the GPU that is here.
    ``ranges`` are those of :func:`shape_ranges`.
    """
    runtime, plans = load(options.runtime), {}
    log = log if log is not None else BuildLog()
    for name, graph in graphs.items():
        log.start(name, graph)
        with runtime_log(runtime).heard(log.add):
            build = _Build(runtime, graph, options, log)
            try:
                plans[name] = build.run(name, targets, ranges, timing, progress)
            finally:
                build.close()
    return plans


class _Build:
    """One graph on its way to a plan; TensorRT's objects must live as long as it does."""

    def __init__(self, runtime: ModuleType, graph: onnx.ModelProto, options: BuildOptions, log: BuildLog) -> None:
        self.runtime, self.options, self.log = runtime, options, log
        logger = runtime_log(runtime).logger
        self.builder = runtime.Builder(logger)
        flags = 1 << int(runtime.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        self.network = self.builder.create_network(flags)
        self.parser = runtime.OnnxParser(self.network, logger)
        if not self.parser.parse(graph.SerializeToString()):
            errors = [self.parser.get_error(index) for index in range(self.parser.num_errors)]
            raise log.parse_failure(errors)
        self.config = self.builder.create_builder_config()

    def run(
        self,
        name: str,
        targets: Sequence[Target],
        ranges: Sequence[Shapes],
        timing: TimingCache | None,
        progress: Progress,
    ) -> bytes:
        """Return the plan."""
        self._configure(targets)
        if ranges:
            self._add_profile(ranges)
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

    def close(self) -> None:
        """Free TensorRT's objects, each before those that it speaks to: an exception on its way would keep them."""
        self.config.progress_monitor = None
        del self.config, self.parser, self.network, self.builder
        gc.collect()  # the builder keeps hundreds of MB, in cycles

    def _configure(self, targets: Sequence[Target]) -> None:
        options, config, runtime = self.options, self.config, self.runtime
        config.clear_flag(runtime.BuilderFlag.TF32)  # 10 bits of a chroma sample are too few
        config.builder_optimization_level = options.optimization
        if options.streams > 1:
            config.max_aux_streams = 0
        if options.workspace is not None:
            limit = options.workspace * MIB // options.streams
            config.set_memory_pool_limit(runtime.MemoryPoolType.WORKSPACE, limit)
        if options.dynamic is not None:  # else scratch memory is that of the largest size at every size
            config.set_preview_feature(runtime.PreviewFeature.RUNTIME_ACTIVATION_RESIZE_10_10, True)
        if options.runtime == "tensorrt-rtx":
            config.set_flag(runtime.BuilderFlag.REQUIRE_USER_ALLOCATION)  # contexts get their memory from us
            named = [target for target in targets if target != EVERY]  # with none named it is built for every one
            config.num_compute_capabilities = len(named)
            for index, target in enumerate(named):
                capability = getattr(runtime.ComputeCapability, f"SM{target.major}{target.minor}")
                config.set_compute_capability(capability, index)

    def _add_profile(self, ranges: Sequence[Shapes]) -> None:
        """Give every input with free height and width its smallest, usual and largest shape."""
        shapes = self.builder.create_optimization_profile()
        for index in range(self.network.num_inputs):
            tensor = self.network.get_input(index)
            if -1 in tuple(tensor.shape):
                shapes.set_shape(tensor.name, *(each[tensor.name] for each in ranges))
        if self.config.add_optimization_profile(shapes) < 0:
            raise self.log.build_failure()
