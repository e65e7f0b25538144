"""Every name of TensorRT that our code uses is there: in TensorRT-RTX as installed, in TensorRT 10 and 11 as recorded.

Recorded by ``tools/record_bindings.py`` from the wheels on PyPI, since TensorRT itself cannot be installed from there.
A name is found in our source by what it is asked of: ``config.set_flag`` belongs to the class that the table below
gives to ``config`` in that file.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import ROOT

MODULE = "the module itself"

RECEIVERS: dict[str, dict[str, str]] = {
    "trt_build/backends/loaded.py": {
        "trt": MODULE,
        "runtime": "Runtime",
        "engine": "ICudaEngine",
        "engines": "ICudaEngine",
        "config": "IRuntimeConfig",
        "cache": "IRuntimeCache",
        "context": "IExecutionContext",
    },
    "trt_build/engines/build.py": {
        "runtime": MODULE,
        "builder": "Builder",
        "network": "INetworkDefinition",
        "parser": "OnnxParser",
        "config": "IBuilderConfig",
        "shapes": "IOptimizationProfile",
        "tensor": "ITensor",
    },
    "trt_build/engines/timing_cache.py": {"config": "IBuilderConfig", "measured": "ITimingCache"},
    "trt_build/engines/progress.py": {"runtime": MODULE},
    "trt_build/engines/build_log.py": {"first": "ParserError"},
    "trt_build/engines/runtime_log.py": {"trt": MODULE},
}
"""File → variable or attribute (without underscores before it) → class of TensorRT."""

RTX_ONLY = {
    "CudaGraphStrategy",
    "CudaGraphStrategy.WHOLE_GRAPH_CAPTURE",
    "EngineInvalidityDiagnostics",
    "DynamicShapesKernelSpecializationStrategy",
    "DynamicShapesKernelSpecializationStrategy.EAGER",
    "BuilderFlag.REQUIRE_USER_ALLOCATION",
    "IRuntimeConfig.cuda_graph_strategy",
    "IRuntimeConfig.dynamic_shapes_kernel_specialization_strategy",
    "IRuntimeConfig.create_runtime_cache",
    "IRuntimeConfig.set_runtime_cache",
    "IRuntimeCache.serialize",
    "IRuntimeCache.deserialize",
    "Runtime.get_engine_validity",
    "ComputeCapability",
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.set_compute_capability",
}
"""What our code asks of TensorRT-RTX alone."""

ENUM = re.compile(r"[A-Z][A-Z0-9_]+")

Used = tuple[str, tuple[str, ...]]
"""``Class.member`` (or ``Class``), and the keywords it is called with."""


def used_names(file: str) -> set[Used]:
    """Return what a source file asks of TensorRT."""
    tree = ast.parse((ROOT / file).read_text())
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found: set[Used] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            call = calls.get(id(node))
            keywords = tuple(sorted(each.arg for each in call.keywords if each.arg)) if call else ()
            found |= {(name, keywords) for name in names_of(node, RECEIVERS[file])}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr"):
            receiver, asked = owner(node.args[0], RECEIVERS[file]), node.args[1]
            if receiver and isinstance(asked, ast.Constant):
                found.add((asked.value if receiver == MODULE else f"{receiver}.{asked.value}", ()))
    return found


def owner(node: ast.expr, receivers: dict[str, str]) -> str | None:
    """Return the class that an expression is of, as far as the table says."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        return receivers.get(node.id.lstrip("_"))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return receivers.get(node.attr.lstrip("_"))
    return None


def names_of(node: ast.Attribute, receivers: dict[str, str]) -> Iterator[str]:
    receiver = owner(node.value, receivers)
    if receiver is None:
        inner = node.value
        if isinstance(inner, ast.Attribute) and owner(inner.value, receivers) == MODULE and ENUM.fullmatch(node.attr):
            yield f"{inner.attr}.{node.attr}"
        elif isinstance(inner, ast.Attribute) and inner.attr == "Severity":
            yield f"ILogger.{node.attr}"
    elif receiver == MODULE:
        yield node.attr
    elif not node.attr.startswith("__"):
        yield f"{receiver}.{node.attr}"


def all_used() -> set[Used]:
    return {used for file in RECEIVERS for used in used_names(file)} | {("DataType.itemsize", ())}


def recorded() -> list[Any]:
    bindings: list[Any] = json.loads((ROOT / "tests" / "data" / "bindings.json").read_text())
    return bindings


def lacking(used: set[Used], classes: dict[str, dict[str, list[str]]]) -> set[str]:
    """Return what of ``used`` is not there."""
    missing = set()
    for name, keywords in used:
        kind, _, member = name.partition(".")
        members = classes.get(kind)
        if members is None or (member and member not in members):
            missing.add(name)
        elif member:
            missing |= {f"{name}({keyword}=)" for keyword in keywords if keyword not in members[member]}
    return missing


def test_the_source_is_understood() -> None:
    """Every file and every entry of the table yields names, among them those that are known to be used."""
    names = {name for name, _ in all_used()}
    assert {"ICudaEngine.get_tensor_name", "IExecutionContext.execute_async_v3", "TensorIOMode.INPUT"} <= names
    assert {"Builder.build_serialized_network", "NetworkDefinitionCreationFlag.STRONGLY_TYPED"} <= names
    assert ("ITimingCache.combine", ("ignore_mismatch",)) in all_used()
    for file, receivers in RECEIVERS.items():
        classes = {name.partition(".")[0] for name, _ in used_names(file)}
        for variable, kind in receivers.items():
            assert kind == MODULE or kind in classes, f"{file} uses no {variable} ({kind}): correct the table"


@pytest.mark.parametrize("index", [0, 1], ids=["TensorRT 10", "TensorRT 11"])
def test_tensorrt_has_every_name_that_is_used(index: int) -> None:
    bindings = recorded()[index]
    assert bindings["version"].startswith(("10.", "11.")[index])
    used = {(name, keywords) for name, keywords in all_used() if name not in RTX_ONLY}
    assert lacking(used, bindings["classes"]) == set()


def test_what_is_asked_of_rtx_alone_is_used_and_is_not_in_tensorrt() -> None:
    """Else the branch that avoids it there is needless."""
    assert {name for name, _ in all_used()} >= RTX_ONLY
    for bindings in recorded():
        assert lacking({(name, ()) for name in RTX_ONLY}, bindings["classes"]) == RTX_ONLY


def test_rtx_has_every_name_that_is_used() -> None:
    trt = pytest.importorskip("tensorrt_rtx")
    for name, keywords in sorted(all_used()):
        kind, _, member = name.partition(".")
        known = getattr(trt, kind)
        found = getattr(known, member) if member else known
        for keyword in keywords:
            assert f"{keyword}:" in found.__doc__, f"{name} takes no {keyword}"
    assert trt.ILogger.Severity.ERROR <= trt.ILogger.Severity.INFO
    assert trt.DataType.HALF.itemsize == 2
