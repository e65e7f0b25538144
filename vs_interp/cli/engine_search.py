"""``vs-interp engines which``: the engine that a filter would use for a film, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError

from .engine_files import in_folder, line, open_cache
from .like import profile_like
from .options import backend_option, json_option, models, quiet_option

if TYPE_CHECKING:
    from trt_build.backends import Backend
    from trt_build.backends.tensorrt import EngineBackend
    from trt_build.engines.candidates import Candidate
    from trt_build.engines.key import EngineKey
    from trt_build.engines.targets import Gpu
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile

NONE_FITS = 1
"""The exit code if there is no engine for the film yet."""


@click.command("which")
@click.argument("clip", type=click.Path(path_type=Path))
@click.argument("model", required=False, shell_complete=models)
@backend_option
@click.option("--gpu", help="Another GPU than this machine's: the name of a card, or sm_89.")
@in_folder
@quiet_option
@json_option
@click.pass_context
def which(
    context: click.Context, /, *, clip: Path, model: str | None, backend: Backend | None, gpu: str | None,
    folder: Path | None, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Tell which engine runs MODEL on the film CLIP.

    MODEL is a file or a name from `vs-interp weights list`, by default the bundled Super-SloMo.  Other engines are
    listed with the reasons why they cannot be used.  The exit code is 1 if there is none for the film.

    \b
    Examples:
      vs-interp engines which film.mkv
      vs-interp engines which film.mkv rife-4.25 --backend tensorrt-rtx --gpu "RTX 4070"
    """
    from trt_build.engines.candidates import candidates
    from vs_interp.weights.obtain import load

    runtime = _runtime(backend, gpu)
    card = _gpu(runtime, gpu)
    profile = profile_like(clip, quiet=quiet)
    keys = _keys(runtime, load(model or "super-slomo"), profile, card)
    found = candidates(open_cache(folder), keys)
    measured = bool(found) and str(card) in found[0].entry.about.get("verified_on", {})
    if as_json:
        click.echo(json.dumps(_report(profile, card, found), indent=1))
    else:
        click.echo(_answer(runtime, profile, card, found, measured))
        for candidate in found:
            if candidate.lacks:
                click.echo(f"{line(candidate.entry)}: {'; '.join(candidate.lacks)}")
    context.exit(0 if _serves(found) else NONE_FITS)


def _runtime(backend: Backend | None, gpu: str | None) -> EngineBackend:
    """Return the backend whose engines to search.  Raises :class:`ArgumentError` if it does not use engines."""
    from trt_build.backends import TensorRTRTX, choose
    from trt_build.backends.tensorrt import EngineBackend

    runtime = backend if backend is not None or gpu is None else TensorRTRTX()
    runtime = choose(runtime)
    if not isinstance(runtime, EngineBackend):
        raise ArgumentError(
            f"{runtime.name} would be used here, which has no engines: give --backend tensorrt-rtx, and --gpu if the"
            " card is in another machine"
        )
    return runtime


def _gpu(runtime: EngineBackend, name: str | None) -> Gpu:
    """Return the GPU to search for: this machine's, or the named card."""
    from trt_build.engines.targets import Gpu, check_supported, current_gpu, gpu_of, parse_target

    if name is None:
        return current_gpu(runtime.numbers[0] if runtime.numbers else 0)
    target = parse_target(name)
    check_supported(target, runtime.runtime)
    return gpu_of(target, runtime.runtime) or Gpu(0, name, target, "of any driver")


def _keys(runtime: EngineBackend, model: ModelFile, profile: Profile, gpu: Gpu) -> Sequence[EngineKey]:
    """Return the keys of the engines that could be used, the preferred one first."""
    from dataclasses import replace

    from trt_build.engines.obtain import engine_key
    from trt_build.engines.targets import serving_targets
    from trt_build.graphs.dynamic import served_size
    from trt_build.profile import RGBS

    options, built = runtime.build_options(), runtime.built_profile(profile)
    if options.dynamic is not None:
        served_size(model, profile, options.dynamic)
    if not runtime.native_planes:
        built = replace(built, planes=RGBS)
    return [engine_key(model, built, options, target, gpu) for target in serving_targets(gpu, options.runtime)]


def _serves(found: Sequence[Candidate]) -> bool:
    return bool(found) and not found[0].lacks


def _answer(runtime: EngineBackend, profile: Profile, gpu: Gpu, found: Sequence[Candidate], is_measured: bool) -> str:
    planes = profile.planes
    details = [f"BT.{planes.matrix}"] * (planes.family != "rgb") + [planes.siting] * (planes.family == "yuv")
    details += ["full range" if planes.full_range else "limited range"] * (not planes.floating)
    wanted = f"{profile.width}x{profile.height} {planes.name} ({', '.join(details)}) on {gpu.name}"
    if not _serves(found):
        return f"{wanted}: there is no engine of {runtime.name} yet, the first use will build one"
    state = "verified on it" if is_measured else "to be verified on it at the first use"
    return f"{wanted}: {line(found[0].entry)}, {state}"


def _report(profile: Profile, gpu: Gpu, found: Sequence[Candidate]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "profile": asdict(profile),
        "gpu": gpu.name,
        "target": str(gpu.target),
        "engine": found[0].entry.digest if _serves(found) else None,
        "others": {each.entry.digest: list(each.lacks) for each in found if each.lacks},
    }
