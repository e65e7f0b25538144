"""Engines built by TensorRT-RTX on a machine without GPU, and what is said when that does not go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from tests.exported import OTHER_KINDS, exported
from tests.graphs import blending
from tests.support import ROOT
from trt_build.engines.build import BuildOptions, _Build, build_engine, build_plans, engine_graphs
from trt_build.engines.build_log import BuildLog
from trt_build.engines.cache import EngineCache
from trt_build.engines.engine import Engine
from trt_build.engines.obtain import obtain_engine
from trt_build.engines.progress import Phases
from trt_build.engines.runtimes import check_runtime, load, missing
from trt_build.engines.targets import Target, parse_targets
from trt_build.model_file import ModelFile, to_bytes
from trt_build.profile import RGBS, PlaneFormat, Profile
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.registry import NETWORKS
from vs_interp.size import Size

pytestmark = pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")
YUV420P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
SMALL = Profile(width=448, height=256, planes=YUV420P8)
RTX = BuildOptions(runtime="tensorrt-rtx")
ADA = Target(8, 9)
TARGETS = parse_targets("sm_75,sm_80,sm_86,sm_89,sm_120")


def tensors(graph: onnx.ModelProto) -> tuple[list[str], list[str]]:
    """Names of a graph's inputs and outputs."""
    return [value.name for value in graph.graph.input], [value.name for value in graph.graph.output]


def test_the_bundled_model_builds() -> None:
    """Two plans: all that a window needs once, and all that each time needs; both come back whole from a file."""
    profile = replace(SMALL, planes=replace(YUV420P8, bits=10))
    seen: list[tuple[str, float]] = []
    engine = build_engine(
        BUNDLED, profile, RTX, ADA, about={"target": str(ADA)}, progress=lambda *step: seen.append(step)
    )
    assert set(engine.plans) == {"state", "synthesis"}
    assert Engine.from_bytes(engine.to_bytes()) == engine
    assert 1e6 < engine.size < 100e6
    assert_rises(seen)


def assert_rises(seen: list[tuple[str, float]]) -> None:
    """Each plan's progress goes to one, and they are built one after the other."""
    for plan in ("state", "synthesis"):
        values = [done for name, done in seen if name == plan]
        assert values == sorted(values)
        assert len(values) > 10 and values[-1] == 1.0
    assert [name for name, _ in seen] == sorted(name for name, _ in seen)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in OTHER_KINDS])
def test_every_registered_network_builds_for_every_gpu(name: str) -> None:
    """With random weights: all GPUs in one build, and the largest size for one of them."""
    _, model = exported(name)
    graphs = engine_graphs(model, SMALL, RTX)
    assert build_plans(graphs, RTX, TARGETS).keys() == graphs.keys()
    large = Profile(width=1920, height=1088, planes=replace(YUV420P8, bits=10))
    assert build_engine(model, large, RTX, ADA).size > 10_000


def test_the_split_leaves_conversion_and_flow_to_the_state() -> None:
    """Planes and flow are worked on once a window; a time needs RGB, flow and itself."""
    graphs = engine_graphs(BUNDLED, SMALL, RTX)
    planes = [f"frame{frame}_plane{plane}" for frame in (0, 1) for plane in (0, 1, 2)]
    state = ["frame0", "frame1", *BUNDLED.spec.state]
    assert tensors(graphs["state"]) == (planes, state)
    inputs, outputs = tensors(graphs["synthesis"])
    assert set(inputs) == {"time", *state}
    assert outputs == ["output_plane0", "output_plane1", "output_plane2"]


def test_a_size_without_whole_chroma_planes_is_refused() -> None:
    with pytest.raises(ArgumentError, match="447x256"):
        build_engine(BUNDLED, replace(SMALL, width=447), RTX, ADA)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimization": 6}, "from 0 to 5"),
        ({"streams": 0}, "1 or more"),
        ({"workspace": 2, "streams": 3}, "workspace of 2 MiB is too small"),
    ],
)
def test_options_out_of_range_are_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        BuildOptions(**values)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="known are tensorrt, tensorrt-rtx"):
        check_runtime("cuda")


def test_only_what_changes_the_bytes_is_identity() -> None:
    """More than one stream is like any other number of them, and a workspace counts by stream."""
    two, three = BuildOptions(streams=2, workspace=200), BuildOptions(streams=3, workspace=300)
    assert two.identity() == three.identity()
    for other in (
        BuildOptions(streams=1, workspace=100),
        replace(two, workspace=202),
        replace(two, optimization=4),
        replace(two, dynamic=((64, 64), (128, 128))),
    ):
        assert other.identity() != two.identity()


def test_a_node_that_the_runtime_does_not_take_is_named_and_the_log_kept(tmp_path: Path) -> None:
    graph = ModelFile.load(blending(tmp_path / "blending.onnx")).graph
    for node in graph.graph.node:
        node.output[:] = ["before" if name == "output" else name for name in node.output]
    graph.graph.node.append(helper.make_node("Bernoulli", ["before"], ["output"], name="/head/Bernoulli_1"))
    model = ModelFile.from_bytes(to_bytes(graph))
    with pytest.raises(
        BackendError, match=r"/head/Bernoulli_1 \(Bernoulli\): unsupported node.* \(the whole log: (.*)\)$"
    ) as raised:
        obtain_engine(model, replace(SMALL, planes=RGBS), RTX, ADA, cache=EngineCache(tmp_path))
    (log,) = tmp_path.glob("logs/*.log")
    assert str(log) in str(raised.value)
    assert "Bernoulli" in log.read_text()
    assert list(tmp_path.glob("*.engine")) == []


def test_a_build_failure_is_told_from_the_noise_of_a_machine_without_gpu() -> None:
    """The first real error in plain words, with the node whose name it holds; ``/a/Conv_1`` is not ``/a/Conv_12``."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name=name) for name in ("/a/Conv_1", "/a/Conv_12")]
    log = BuildLog()
    log.start("synthesis", helper.make_model(helper.make_graph(nodes, "two", [], [])))
    log.add("ERROR", "[x.cpp::f::25] Error Code 1: Cuda Runtime (CUDA driver version is insufficient for CUDA runtime)")
    log.add("ERROR", "[optimizer.cpp::compute::40] Error Code 10: no tactic for {ForeignNode[/a/Conv_12]}.")
    log.add("ERROR", "[builder.cpp::build::9] Error Code 2: Assertion failed")
    assert str(log.build_failure()) == (
        "the engine build failed at the node /a/Conv_12 (Conv): Error Code 10: no tactic for {ForeignNode[/a/Conv_12]}."
    )
    memory = BuildLog()
    memory.add("ERROR", "[e.cpp::f::1] Error Code 2: OutOfMemory (Requested size was 99 bytes.)")
    assert "lower --workspace" in str(memory.build_failure())


def test_contexts_get_memory_from_us_and_no_more_than_their_size_needs() -> None:
    """RTX documents REQUIRE_USER_ALLOCATION for the first, TensorRT from 10.10 a preview feature for the second."""
    runtime, asked = load("tensorrt-rtx"), []

    class Config:
        """The builder's own, which has that feature from the start in RTX, and has not in TensorRT."""

        def __init__(self, config: Any) -> None:
            self._config = config

        def __getattr__(self, name: str) -> Any:
            return getattr(self._config, name)

        def set_preview_feature(self, feature: Any, value: bool) -> None:
            asked.append((feature, value))

    options = replace(RTX, dynamic=(Size(128, 128), Size(512, 512)))
    profile = Profile(width=256, height=256, planes=YUV420P8)
    build = _Build(runtime, engine_graphs(BUNDLED, profile, options)["synthesis"], options, BuildLog())
    build.config = Config(build.config)
    build._configure([ADA])
    assert build.config.get_flag(runtime.BuilderFlag.REQUIRE_USER_ALLOCATION)
    assert asked == [(runtime.PreviewFeature.RUNTIME_ACTIVATION_RESIZE_10_10, True)]
    build.close()


@pytest.mark.slow
def test_a_failed_verification_keeps_the_engine_out_of_the_cache(tmp_path: Path) -> None:
    def refuse(engine: Engine) -> dict[str, float]:
        raise BackendError("12.0 dB")

    with pytest.raises(BackendError, match=r"12\.0 dB"):
        obtain_engine(BUNDLED, SMALL, RTX, ADA, cache=EngineCache(tmp_path), verify=refuse)
    assert list(tmp_path.glob("*.engine")) == []
    engine = obtain_engine(BUNDLED, SMALL, RTX, ADA, cache=EngineCache(tmp_path), verify=lambda engine: {"noise": 60.0})
    assert obtain_engine(BUNDLED, SMALL, RTX, ADA, cache=EngineCache(tmp_path)).plans == engine.plans


def test_nested_phases_share_their_parents_step() -> None:
    phases = Phases()
    phases.start("all", None, 2)
    phases.start("first", "all", 4)
    assert [phases.step("first", step) for step in range(2)] == [1 / 8, 2 / 8]
    phases.finish("first")
    assert phases.step("all", 0) == 1 / 2
    phases.start("second", "all", 2)
    assert phases.step("second", 0) == 3 / 4
