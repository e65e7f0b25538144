"""``vs-interp doctor``: what is installed, what works here, and what to install for what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from vs_interp.errors import EncoderError, VsInterpError
from vs_interp.extras import how_to_get

from .options import json_option

if TYPE_CHECKING:
    from trt_build.backends import Backend

PACKAGES = (
    "vs-interp", "vapoursynth", "vapoursynth-bestsource", "numpy", "onnx", "openvino", "av",
    "torch", "tensorrt-rtx", "tensorrt-cu13", "cuda-bindings",
)  # fmt: skip
OPTIONAL = {
    "torch": "train",
    "tensorrt-rtx": "tensorrt-rtx",
    "tensorrt-cu13": "tensorrt",
    "cuda-bindings": "tensorrt-rtx",
}
"""Packages that some users need → the extra that brings them."""

SIDE = 64
"""Width and height of the picture that backends are tried with."""

PLUGINS = {
    "bs": ("reads video files", "pip install vapoursynth-bestsource", True),
    "mv": ("motion vectors, to compare with", "pip install vapoursynth-mvtools", False),
}
"""Namespace → what it is for, how to get it, and whether the command line needs it."""


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``remedy`` says what to do where something is missing, ``needed`` whether one must."""

    topic: str
    name: str
    found: str | None
    remedy: str | None = None
    needed: bool = False


@click.command("doctor")
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Report versions, backends, plugins and ffmpeg, and what to install for what is missing.

    \b
    Backends are opened and make a picture.  Ends with exit code 0 if videos can be interpolated here, else with 1.
    Examples:
      vs-interp doctor
      vs-interp doctor --json
    """
    findings = examine()
    able = is_able(findings)
    if as_json:
        click.echo(json.dumps({"able": able, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _report(findings, able)
    context.exit(0 if able else 1)


def examine() -> list[Finding]:
    """Look at everything, importing neither PyTorch nor a GPU runtime that is not there."""
    return [*_packages(), *_backends(), *_plugins(), _ffmpeg(), *_gpus()]


def is_able(findings: list[Finding]) -> bool:
    """Whether nothing that is needed is missing and at least one backend works."""
    backends = [finding for finding in findings if finding.topic == "backend"]
    return any(backend.found for backend in backends) and all(f.found for f in findings if f.needed)


def _packages() -> list[Finding]:
    findings = [Finding("package", "python", platform.python_version())]
    for name in PACKAGES:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            extra = OPTIONAL.get(name)
            remedy = how_to_get(extra) if extra else f"pip install {name}"
            findings.append(Finding("package", name, None, remedy, needed=extra is None and name != "openvino"))
        else:
            findings.append(Finding("package", name, found))
    return findings


def _backends() -> list[Finding]:
    from trt_build.backends import known

    findings = []
    for kind in known():
        missing = kind.missing() or _failure(kind)
        works = None if missing else f"works: it made a picture {kind.found() and f'({kind.found()})'}".strip()
        findings.append(Finding("backend", kind.name, works, missing))
    return findings


def _failure(kind: type[Backend]) -> str | None:
    """Open the backend, enlarge a gray picture, and return what went wrong."""
    import numpy as np

    from trt_build.model_file import ModelFile
    from trt_build.profile import GRAYS, PlaneFormat, Profile
    from vs_interp.weights.catalogue import resolve

    try:
        backend = kind()
        model = ModelFile.load(resolve(None, network="fsrcnn", scale=2))
        own = PlaneFormat(family="gray", bits=8, floating=False, full_range=True)
        planes, gray = (own, 128) if backend.native_planes else (GRAYS, 0.5)
        window = [[np.full((SIDE, SIDE), gray, planes.dtype)]]
        made = np.zeros((2 * SIDE, 2 * SIDE), planes.dtype)
        backend.open(model, Profile(width=SIDE, height=SIDE, planes=planes))[0].run(window, [0], [0.0], [[made]])
    except (VsInterpError, OSError, RuntimeError) as error:
        return f"it does not work here ({' '.join(str(error).split())})"
    difference = float(np.abs(made / gray - 1).max())
    return None if difference < 0.1 else f"it makes wrong pictures (off by {difference:.0%}): install it again"


def _plugins() -> list[Finding]:
    try:
        import vapoursynth as vs
    except ImportError as error:
        return [Finding("plugin", "vapoursynth", None, f"it cannot be imported ({error}): reinstall it", needed=True)]
    loaded = {plugin.namespace: plugin for plugin in vs.core.plugins()}
    findings = []
    for namespace, (purpose, remedy, needed) in PLUGINS.items():
        plugin = loaded.get(namespace)
        name = f"{namespace} ({purpose})"
        version = None if plugin is None else f"{plugin.version.major}.{plugin.version.minor}"
        findings.append(Finding("plugin", name, version, None if plugin else remedy, needed))
    return findings


def _ffmpeg() -> Finding:
    from vs_interp.films.ffmpeg import find_ffmpeg, version

    try:
        path = find_ffmpeg()
        return Finding("ffmpeg", path, version(path), needed=True)
    except EncoderError as error:
        return Finding("ffmpeg", "ffmpeg", None, str(error), needed=True)


def _gpus() -> list[Finding]:
    try:
        from cuda.bindings import runtime
    except ImportError:
        return [Finding("gpu", "NVIDIA", None, "to look for one: pip install cuda-bindings")]
    status, count = runtime.cudaGetDeviceCount()
    if status != runtime.cudaError_t.cudaSuccess or not count:
        return [Finding("gpu", "NVIDIA", None, f"no GPU or no driver here ({status.name})")]
    findings = []
    for number in range(count):
        _, properties = runtime.cudaGetDeviceProperties(number)
        memory = (
            f"{properties.totalGlobalMem / 2**30:.0f} GiB, compute capability {properties.major}.{properties.minor}"
        )
        findings.append(Finding("gpu", properties.name.decode(), memory))
    return findings


def _report(findings: list[Finding], able: bool) -> None:
    for topic in dict.fromkeys(finding.topic for finding in findings):
        click.secho(topic, bold=True)
        for finding in (finding for finding in findings if finding.topic == topic):
            mark, colour = ("+", "green") if finding.found else ("!", "red") if finding.needed else ("-", "yellow")
            state = finding.found or f"not there: {finding.remedy}"
            click.echo(f"  {click.style(mark, fg=colour)} {finding.name:<24} {state}")
    click.echo(
        "Videos can be interpolated here." if able else "Videos cannot be interpolated yet: see the lines above."
    )
