"""From a model to an engine that may be served: out of the cache, or built, verified and stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import BackendError

from .build import BuildOptions, build_engine
from .build_log import BuildLog
from .cache import Built, EngineCache
from .engine import Engine
from .key import ANY, EngineKey
from .progress import Progress, silent
from .runtimes import version
from .targets import Gpu, Target, check_supported, current_gpu, serving_targets
from .timing_cache import TimingCache

Verify = Callable[[Engine], Mapping[str, float]]
"""Measures a new engine: content → PSNR in dB.  Raises :class:`~vs_interp.errors.BackendError` where it is too low."""


def engine_key(
    model: ModelFile, profile: Profile, options: BuildOptions, target: Target, device: Gpu | None = None
) -> EngineKey:
    """Return the cache's key of an engine.

    Engines of TensorRT are bound to ``device`` (by default the first GPU) and its driver; those of TensorRT-RTX fit
    every GPU of the target, so that they may be built elsewhere.
    """
    bound = options.runtime == "tensorrt"
    device = (device or current_gpu()) if bound else None
    return EngineKey(
        model=model.identity,
        network=model.spec.name,
        profile=profile,
        options=options.identity(),
        runtime=options.runtime,
        version=version(options.runtime),
        target=str(target),
        device=device.name if device else ANY,
        driver=device.driver if device else ANY,
    )


def stored_target(model: ModelFile, profile: Profile, options: BuildOptions, gpu: Gpu, cache: EngineCache) -> Target:
    """Return what the stored engine that serves a GPU was built for; the GPU's own kind where there is none."""
    for target in serving_targets(gpu, options.runtime):
        if cache.find(engine_key(model, profile, options, target, gpu)) is not None:
            return target
    return gpu.target


def obtain_engine(
    model: ModelFile,
    profile: Profile,
    options: BuildOptions,
    target: Target,
    *,
    device: Gpu | None = None,
    cache: EngineCache | None = None,
    construct: Callable[[], Engine] | None = None,
    verify: Verify | None = None,
    progress: Progress = silent,
) -> Engine:
    """Return the engine for a target.

    A new one is built by ``construct``, by default of the model's graph, and measured by ``verify`` before it is
    stored; one that was built elsewhere is measured once on ``device``, where that is the GPU that ``verify`` runs it
    on.  Raises :class:`ArgumentError` for a target or a size that cannot be had, :class:`BackendError` where build or
    verification fail; the build's log is then kept in the cache folder, and named.
    """
    check_supported(target, options.runtime)
    cache = cache or EngineCache()
    key = engine_key(model, profile, options, target, device)
    where = str(device) if device is not None else None

    def build() -> Built:
        log = BuildLog()
        timing = TimingCache(cache.folder / "timing" / f"{_file_name(key)}.timing")
        try:
            engine = (
                build_engine(model, profile, options, target, timing=timing, progress=progress, log=log)
                if construct is None
                else construct()
            )
            return Built(engine, verify(engine) if verify is not None else None, where)
        except BackendError as error:
            kept = log.keep(cache.log_path(key))
            raise BackendError(f"{error}{f' (the whole log: {kept})' if kept else ''}") from error

    engine = cache.get_or_build(key, build)
    if verify is not None and where is not None and where not in cache.verified_on(key):
        cache.note_verified(key, where, verify(engine))
    return engine


def _file_name(key: EngineKey) -> str:
    """Return a file name for what was measured on a GPU by one version of a runtime."""
    text = f"{key.runtime}-{key.version}-{key.target}-{key.device}"
    return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in text)
