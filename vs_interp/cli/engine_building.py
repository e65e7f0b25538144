"""Build and verify the engines that ``vs-interp build`` is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.log import logger

if TYPE_CHECKING:
    from trt_build.engines.build import BuildOptions
    from trt_build.engines.cache import Entry
    from trt_build.engines.engine import Engine
    from trt_build.engines.targets import Gpu, Target
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile


def build_engines(
    file: ModelFile,
    profile: Profile,
    options: BuildOptions,
    *,
    gpu: str,
    checkpoint: Path | None,
    folder: Path | None,
) -> list[dict[str, Any]]:
    """Build an engine for every GPU in ``gpu``; return a row for each, as :func:`_row`."""
    from trt_build.backends.cuda import CudaDevice
    from trt_build.engines.cache import EngineCache
    from trt_build.engines.obtain import engine_key, obtain_engine
    from trt_build.engines.progress import bar
    from trt_build.engines.targets import check_supported, gpu_of, parse_targets

    if checkpoint is not None and gpu != "current":
        raise ArgumentError(f"--gpu {gpu}: torch-tensorrt builds for this machine's GPU only, leave it out")
    construct = None if checkpoint is None else _construction(checkpoint, file, profile, options)
    targets = parse_targets(gpu)
    for target in targets:
        check_supported(target, options.runtime)
    engines = EngineCache(folder)
    verify = _verification(file, profile, options)
    rows = []
    for target in targets:
        start = time.monotonic()
        device = gpu_of(target, options.runtime)
        if device is not None:
            CudaDevice(device.index).activate()  # TensorRT builds for the current device
        with bar() as progress:
            engine = obtain_engine(
                file, profile, options, target, device=device,
                cache=engines, construct=construct, verify=verify(device), progress=progress,
            )  # fmt: skip
        entry = engines.find(engine_key(file, profile, options, target, device))
        rows.append(_row(target, options, engine, entry, time.monotonic() - start))
    return rows


def _row(target: Target, options: BuildOptions, engine: Engine, entry: Entry | None, seconds: float) -> dict[str, Any]:
    """Describe a build in JSON values; ``entry`` is ``None`` if the engine could not be stored."""
    return {
        "target": str(target),
        "runtime": options.runtime,
        "file": None if entry is None else str(entry.path),
        "bytes": engine.size,
        "seconds": round(seconds, 2),
        "psnr": None if entry is None else entry.about.get("psnr"),
    }


def _construction(checkpoint: Path, file: ModelFile, profile: Profile, options: BuildOptions) -> Callable[[], Engine]:
    """Return the function that builds the engine from a checkpoint.  Raises :class:`ArgumentError`."""
    from trt_build.pytorch.front_end import build_engine_of, missing_front_end
    from vs_interp.weights.checkpoint import load_checkpoint

    absent = missing_front_end()
    if absent:
        raise BackendError(absent)
    network = load_checkpoint(checkpoint)
    if network.spec != file.spec:
        raise ArgumentError(f"{checkpoint} is {network.spec.name}, but the model was not exported from it")
    return lambda: build_engine_of(network, profile, options)


def _verification(
    file: ModelFile, profile: Profile, options: BuildOptions
) -> Callable[[Gpu | None], Callable[[Engine], Mapping[str, float]]]:
    """Return how to verify an engine: on its GPU if this machine has it, else the FP16 graph on the CPU, once for all.

    The returned functions give the PSNR against FP32 for each kind of test picture.
    """
    from trt_build.verify.verify import verify_graph

    @cache
    def on_cpu() -> Mapping[str, float]:
        logger.info("verifying the FP16 graph on the CPU")
        return verify_graph(file, profile)

    def verify(gpu: Gpu | None) -> Callable[[Engine], Mapping[str, float]]:
        if gpu is None:
            return lambda engine: on_cpu()
        from trt_build.backends.cuda import CudaDevice
        from trt_build.verify.on_gpu import verify_engine

        return lambda engine: verify_engine(engine, options, file, profile, CudaDevice(gpu.index))

    return verify
