"""What an import loads, in a fresh interpreter: scripts start fast, and nothing drags in what it does not need."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vs_interp

from .support import ROOT

HEAVY = ("torch", "vapoursynth", "openvino", "onnx", "tensorrt", "tensorrt_rtx", "cuda", "scipy")


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    # A list of the names first: the table grows when a thread or the garbage collector imports while it is walked.
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in list(sys.modules)}}))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.split())


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert not loaded("import vs_interp") & set(HEAVY)


def test_serving_never_loads_torch() -> None:
    """And the builder not VapourSynth either."""
    assert not {"torch", "vapoursynth"} & loaded("import trt_build.model_file, trt_build.backends.openvino")
    assert "torch" not in loaded("import vs_interp.filters")


HOUSE = [
    {
        "arguments",
        "errors",
        "extras",
        "files",
        "folders",
        "host",
        "interrupt",
        "label_code",
        "flow_fields",
        "log",
        "matrices",
        "memory",
        "metrics",
        "size",
        "spec",
    },
    {"films", "datasets"},
    {"networks", "registry"},
    {"trt_build"},
    {"weights", "evaluation"},
    {"filters", "training", "jobs"},
    {"cli", "__main__"},
]
"""The floors of the house, the lowest first: a room imports from its own floor and from those below it."""

BUILDER = [{"model_file", "profile"}, {"graphs"}, {"engines"}, {"backends"}, {"verify", "pytorch"}]
"""The floors of ``trt_build``."""


def modules() -> dict[str, Path]:
    """Return every module's file by its name as it is imported."""
    files = [file for folder in ("vs_interp", "trt_build", "filters") for file in (ROOT / folder).rglob("*.py")]
    return {_name(file): file for file in files}


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    return f"vs_interp.{name}" if parts[0] == "filters" else name


@functools.cache
def imported(name: str, *, inside: bool = True) -> frozenset[str]:
    """Return the project's modules that a module imports: at its top, and ``inside`` of functions."""
    file = MODULES[name]
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for statement in ast.walk(tree) if inside else tree.body:
        if isinstance(statement, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
            source = ".".join([*above, *filter(None, [statement.module])])
            below = {f"{source}.{alias.name}" for alias in statement.names}
            found |= below & set(MODULES) or {source}
        elif isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
    return frozenset(other for other in found if other.partition(".")[0] in ("vs_interp", "trt_build"))


MODULES = modules()


def floor(name: str) -> tuple[int, int]:
    """Return the floor of the house that a module lies on, and that of ``trt_build``; a package's face lies above."""
    top, room, *_ = (*name.split("."), "")
    house = "trt_build" if top == "trt_build" else room
    return _number(HOUSE, house), _number(BUILDER, room) if top == "trt_build" else 0


def _number(floors: list[set[str]], room: str) -> int:
    return next((number for number, rooms in enumerate(floors) if room in rooms), len(floors))


def test_no_room_imports_from_a_floor_above() -> None:
    for name in MODULES:
        here = floor(name)
        for other in imported(name):
            there = floor(other)
            assert there[0] <= here[0], f"{name} imports {other}, which lies above it"
            assert there[0] < here[0] or there[1] <= here[1], f"{name} imports {other}, which lies above it"


def test_weights_are_read_without_vapoursynth() -> None:
    """By reading all that is loaded with the module, for which a fresh interpreter would load PyTorch too."""
    known, left = set[str](), ["vs_interp.weights.checkpoint", "vs_interp.training.loop"]
    while left:
        name = left.pop()
        known.add(name)
        left += imported(name, inside=False) & set(MODULES) - known
    assert len(known) > 20
    assert not [name for name in known if re.search(r"^(from|import) vapoursynth\b", MODULES[name].read_text(), re.M)]


def test_every_room_has_a_floor() -> None:
    rooms = {name.split(".")[1] for name in MODULES if "." in name}
    known = set.union(*HOUSE, *BUILDER)
    assert rooms <= known, f"give {', '.join(sorted(rooms - known))} a floor"


def test_imports_run_in_no_circle() -> None:
    """Neither while modules load nor later, inside functions: each can be read without the ones that use it."""
    graph = {name: imported(name) & set(MODULES) - {name} for name in MODULES}
    for name in graph:
        graph[name] -= {package for package in graph if name.startswith(f"{package}.")}
    order = graphlib.TopologicalSorter(graph)
    order.prepare()


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("torch", ["vs_interp/networks/", "vs_interp/training/", "vs_interp/weights/", "trt_build/pytorch/"]),
        ("vapoursynth", ["filters/", "vs_interp/films/", "vs_interp/evaluation/", "vs_interp/jobs/"]),
    ],
)
def test_heavy_packages_are_imported_in_their_rooms_alone(package: str, rooms: list[str]) -> None:
    """The command line may import both, inside functions: ``--help`` is quick, as tests/cli sees to."""
    for file in MODULES.values():
        place = file.relative_to(ROOT).as_posix()
        if not place.startswith(("vs_interp/cli/", *rooms)):
            assert not re.search(rf"^\s*(?:from|import) {package}\b", file.read_text(), re.MULTILINE), place


def test_the_public_names_are_there() -> None:
    for name in vs_interp.__all__:
        assert getattr(vs_interp, name) is not None


def test_the_changelog_knows_the_version() -> None:
    assert f"## {vs_interp.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_names_and_their_types_are_the_same() -> None:
    """What type checkers see under TYPE_CHECKING, what is imported when it is asked for, and what is public."""
    source = (ROOT / "vs_interp" / "__init__.py").read_text(encoding="utf-8")
    (block,) = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed.keys() == vs_interp._HOMES.keys()
    assert all(str(module).startswith(vs_interp._HOMES[name]) for name, module in typed.items())
    assert sorted([*typed, "__version__"]) == sorted(vs_interp.__all__)
