"""``vs-interp doctor``: what is installed, what works on this machine, and how to install what is missing."""

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
    "pillow", "torch", "tensorrt-rtx", "tensorrt-cu13", "cuda-bindings",
)  # fmt: skip
OPTIONAL = {
    "pillow": ("evaluate", "evaluating"),
    "torch": ("train", "training"),
    "tensorrt-rtx": ("tensorrt-rtx", "GeForce and RTX GPUs"),
    "tensorrt-cu13": ("tensorrt", "any NVIDIA GPU"),
    "cuda-bindings": ("tensorrt-rtx", "NVIDIA GPUs"),
}
"""Optional package → the extra that installs it, and what needs it."""

SIDE = 64
"""Width and height of the picture for trying backends."""

PLUGINS = {
    "bs": ("reads video files", "pip install vapoursynth-bestsource", True),
    "mv": ("motion vectors, for comparison", "pip install vapoursynth-mvtools", False),
}
"""Plugin namespace → its purpose, how to install it, and whether the command line needs it."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    found
        The version or state; ``None`` if it is missing or does not work.
    remedy
        Then, what is wrong or how to install it.
    needed
        Whether nothing works without it.
    """

    topic: str
    name: str
    found: str | None
    remedy: str | None = None
    needed: bool = False


@click.command("doctor")
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Check what works on this machine, and what is missing.

    Reports versions, backends, plugins and ffmpeg, and how to install what is missing.  Every backend is tried with a
    picture.  The exit code is 0 if videos can be interpolated here, else 1.

    \b
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
    """Examine everything, without importing PyTorch."""
    return [*_packages(), *_backends(), *_plugins(), _ffmpeg(), *_gpus()]


def is_able(findings: list[Finding]) -> bool:
    """Whether everything that is needed was found, and at least one backend works."""
    backends = [finding for finding in findings if finding.topic == "backend"]
    return any(backend.found for backend in backends) and all(f.found for f in findings if f.needed)


def _packages() -> list[Finding]:
    findings = [Finding("package", "python", platform.python_version())]
    for name in PACKAGES:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            extra, use = OPTIONAL.get(name, (None, ""))
            remedy = f"for {use}: {how_to_get(extra)}" if extra else f"pip install {name}"
            findings.append(Finding("package", name, None, remedy, needed=extra is None and name != "openvino"))
        else:
            findings.append(Finding("package", name, found))
    return findings


def _backends() -> list[Finding]:
    from trt_build.backends import known

    findings = []
    for kind in known():
        problem = kind.missing() or _failure(kind)
        if problem:
            findings.append(Finding("backend", kind.name, None, problem))
            continue
        details = kind.found()
        findings.append(Finding("backend", kind.name, f"works: it made a picture{details and f' ({details})'}"))
    return findings


def _failure(kind: type[Backend]) -> str | None:
    """Upscale a gray picture with a backend; return what went wrong, or ``None``."""
    import numpy as np

    from trt_build.model_file import ModelFile
    from trt_build.profile import GRAYS, PlaneFormat, Profile
    from vs_interp.weights.catalogue import resolve

    try:
        backend = kind()
        model = ModelFile.load(resolve(None, network="fsrcnn", scale=2))
        gray8 = PlaneFormat(family="gray", bits=8, floating=False, full_range=True)
        planes, gray = (gray8, 128) if backend.native_planes else (GRAYS, 0.5)
        window = [[np.full((SIDE, SIDE), gray, planes.dtype)]]
        made = np.zeros((2 * SIDE, 2 * SIDE), planes.dtype)
        backend.open(model, Profile(width=SIDE, height=SIDE, planes=planes))[0].run(window, [0], [0.0], [[made]])
    except (VsInterpError, OSError, RuntimeError) as error:
        return f"it does not work here ({' '.join(str(error).split())})"
    difference = float(np.abs(made / gray - 1).max())
    return None if difference < 0.1 else f"it makes wrong pictures (off by {difference:.0%}): reinstall it"


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
        return [Finding("gpu", "NVIDIA", None, "cannot be looked for without: pip install cuda-bindings")]
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
            state = finding.found or f"missing: {finding.remedy}"
            click.echo(f"  {click.style(mark, fg=colour)} {finding.name:<24} {state}")
    click.echo(
        "Videos can be interpolated here." if able else "Videos cannot be interpolated yet: see the lines above."
    )
