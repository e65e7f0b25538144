"""Build an engine: model file → FP16 graphs on the clip's planes → one strongly typed plan for each graph.

TensorRT 10, TensorRT 11 and TensorRT-RTX share this code.  They differ in the compute capability (RTX builds for any
GPU on any machine) and in the timing cache (RTX measures nothing while it builds).
"""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import onnx

from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.dynamic import Shapes, check_range, input_shapes, with_free_sizes
from trt_build.graphs.precision import to_half
from trt_build.graphs.state_casts import move_casts_to_state
from trt_build.graphs.unread import without_unread
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import ArgumentError
from vs_interp.size import Size

from .build_log import BuildLog
from .engine import Engine
from .progress import Progress, deferred_interrupts, monitor, silent
from .runtime_log import runtime_log
from .runtimes import Runtime, load
from .targets import EVERY, Target, check_supported
from .timing_cache import TimingCache

MIB = 2**20

FrontEnd = Literal["onnx", "torch"]
"""What an engine is built from: the model file's graph, or the PyTorch network."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How an engine is built.

    runtime
        The runtime that builds the engine and will run it.
    optimization
        TensorRT's builder level, from 0 (quick to build) to 5 (slow to build, perhaps faster to run); its default is 3.
    workspace
        MiB of scratch memory for all streams together; ``None`` lets TensorRT use all there is.
    streams
        Windows that will be processed at once.  With more than one, an engine uses no auxiliary streams of its own.
    dynamic
        Smallest and largest (width, height) that the engine takes; it is tuned for the profile's size, between them.
        The network must take all three without padding.  ``None`` for an engine of one size, which is faster.
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
            raise ArgumentError(f"optimization is {self.optimization}: it must be a level from 0 to 5")
        if self.streams < 1:
            raise ArgumentError(f"streams is {self.streams}: give 1 or more")
        if self.workspace is not None and self.workspace < self.streams:
            raise ArgumentError(
                f"a workspace of {self.workspace} MiB is too small: give at least 1 MiB for each stream"
            )

    def identity(self) -> dict[str, Any]:
        """Return, as JSON values, exactly those options that change an engine's bytes."""
        return {
            "optimization": self.optimization,
            "workspace": None if self.workspace is None else self.workspace // self.streams,
            "auxiliary_streams": self.streams == 1,
            "front_end": self.front_end,
            "dynamic": None if self.dynamic is None else [list(size) for size in self.dynamic],
        }


def engine_graphs(model: ModelFile, profile: Profile, options: BuildOptions) -> dict[str, onnx.ModelProto]:
    """Return the graphs that become the engine's plans: ``"state"``, if the network has one, and ``"synthesis"``.

    They are FP16 with FP32 islands, and their inputs and outputs are the profile's planes (see :func:`with_planes`), of
    any size if the options say ``dynamic``.  Raises :class:`ArgumentError` if the sizes do not suit the network.
    """
    half = with_planes(to_half(without_unread(model)), profile)
    if options.dynamic is not None:
        check_range(model, profile, options.dynamic)
        half = with_free_sizes(half)
    state, synthesis = half.split()
    if state is None:
        return {"synthesis": synthesis}
    move_casts_to_state(state, synthesis)
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
    """Return an engine for one GPU, newly built; only the timing cache is written to disk.

    ``about`` goes into the engine's header; ``log`` collects the runtime's messages.  Raises :class:`ArgumentError` for
    a target that the runtime cannot build for or a size that the network does not take, and :class:`BackendError`, with
    the runtime's first error and the node it names, if the build fails.
    """
    check_supported(target, options.runtime)
    graphs, ranges = engine_graphs(model, profile, options), shape_ranges(model, profile, options)
    plans = build_plans(graphs, options, [target], ranges=ranges, timing=timing, progress=progress, log=log)
    return Engine(plans, dict(about or {}))


def shape_ranges(model: ModelFile, profile: Profile, options: BuildOptions) -> Sequence[Shapes]:
    """Return the smallest, usual and largest shapes of the inputs; an empty list for an engine of one size."""
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
    """Return the plan of each of the ``graphs`` made by :func:`engine_graphs`.

    TensorRT-RTX makes plans that hold the kernels of all ``targets``; TensorRT takes one target, this machine's GPU.
    ``ranges`` are those of :func:`shape_ranges`.  Raises what :func:`build_engine` does.
    """
    runtime, plans = load(options.runtime), {}
    log = log if log is not None else BuildLog()
    for name, graph in graphs.items():
        log.start(name, graph)
        with runtime_log(runtime).listening(log.add):
            build = _Build(runtime, graph, options, log)
            try:
                plans[name] = build.run(name, targets, ranges, timing, progress)
            finally:
                build.close()
    return plans


class _Build:
    """Builds one graph's plan, and owns the TensorRT objects that this takes; close it afterwards."""

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
        """Return the plan; ``name`` is what ``progress`` is told."""
        self._configure(targets)
        if ranges:
            self._add_profile(ranges)
        if timing is not None and self.options.runtime == "tensorrt":
            timing.load(self.config)
        with deferred_interrupts() as stop:
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
        """Free TensorRT's objects, each before those that it uses: a traceback would keep them alive."""
        self.config.progress_monitor = None
        del self.config, self.parser, self.network, self.builder
        gc.collect()  # reference cycles keep the builder's hundreds of MB alive

    def _configure(self, targets: Sequence[Target]) -> None:
        options, config, runtime = self.options, self.config, self.runtime
        config.clear_flag(runtime.BuilderFlag.TF32)  # its 10-bit mantissa is too short for chroma samples
        config.builder_optimization_level = options.optimization
        if options.streams > 1:
            config.max_aux_streams = 0
        if options.workspace is not None:
            limit = options.workspace * MIB // options.streams
            config.set_memory_pool_limit(runtime.MemoryPoolType.WORKSPACE, limit)
        if options.dynamic is not None:  # otherwise every size needs the scratch memory of the largest
            config.set_preview_feature(runtime.PreviewFeature.RUNTIME_ACTIVATION_RESIZE_10_10, True)
        if options.runtime == "tensorrt-rtx":
            config.set_flag(runtime.BuilderFlag.REQUIRE_USER_ALLOCATION)  # sessions allocate its memory
            named = [target for target in targets if target != EVERY]  # with none named, RTX builds for all
            config.num_compute_capabilities = len(named)
            for index, target in enumerate(named):
                capability = getattr(runtime.ComputeCapability, f"SM{target.major}{target.minor}")
                config.set_compute_capability(capability, index)

    def _add_profile(self, ranges: Sequence[Shapes]) -> None:
        """Tell the builder the smallest, usual and largest shape of every input with a free height and width."""
        shapes = self.builder.create_optimization_profile()
        for index in range(self.network.num_inputs):
            tensor = self.network.get_input(index)
            if -1 in tuple(tensor.shape):
                shapes.set_shape(tensor.name, *(each[tensor.name] for each in ranges))
        if self.config.add_optimization_profile(shapes) < 0:
            raise self.log.build_failure()
