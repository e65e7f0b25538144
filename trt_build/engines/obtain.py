"""From a model to a verified engine: taken from the cache, or built, verified and stored there."""

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
"""Verifies an engine: content → PSNR in dB.  Raises :class:`~vs_interp.errors.BackendError` if that is too low."""


def engine_key(
    model: ModelFile, profile: Profile, options: BuildOptions, target: Target, device: Gpu | None = None
) -> EngineKey:
    """Return the cache's key of an engine.

    Engines of TensorRT are bound to ``device`` (by default the first GPU) and its driver; those of TensorRT-RTX run on
    every GPU of the target and may be built elsewhere.
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
    """Return the target of the stored engine that serves a GPU; the GPU's own if none is stored."""
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
    """Return the engine for a target, from the cache or newly built.

    A new engine is built by ``construct``, by default from the model's graph, and verified before it is stored.
    ``device`` is the GPU that ``verify`` runs on; an engine not yet verified on it is verified there once.  Raises
    :class:`ArgumentError` for a target that the runtime cannot build for or a size that the network does not take, and
    :class:`BackendError` if build or verification fail; the message then names the log, kept in the cache folder.
    """
    check_supported(target, options.runtime)
    cache = cache or EngineCache()
    key = engine_key(model, profile, options, target, device)
    where = str(device) if device is not None else None
    is_new = False

    def build() -> Built:
        nonlocal is_new
        is_new, log = True, BuildLog()
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
            raise BackendError(f"{error} (the whole log: {kept})" if kept else str(error)) from error

    engine = cache.get_or_build(key, build)
    if verify is not None and where is not None and not is_new and where not in cache.verified_on(key):
        cache.note_verified(key, where, verify(engine))
    return engine


def _file_name(key: EngineKey) -> str:
    """Return the file name of the timing cache for one GPU and one version of a runtime."""
    text = f"{key.runtime}-{key.version}-{key.target}-{key.device}"
    return "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in text)
