"""torch-tensorrt as a second way to an engine: from the PyTorch network itself instead of its graph.

The engine takes RGB (or luma) planes in float32, and is cached and served like any other.  torch-tensorrt needs a GPU
as soon as it is imported, and builds for that GPU with the TensorRT or TensorRT-RTX that it was compiled for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from trt_build.engines.build import MIB, BuildOptions
from trt_build.engines.engine import Engine
from trt_build.engines.progress import Progress, silent
from trt_build.engines.runtimes import Runtime
from trt_build.profile import GRAYS, RGBS, Profile
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get
from vs_interp.networks.base import Network

from .parts import Part, engine_parts


def missing_front_end() -> str | None:
    """Return why torch-tensorrt does not work here and what to do about it; ``None`` if it works."""
    if importlib.util.find_spec("torch_tensorrt") is None:
        return (
            f"the package torch-tensorrt is not installed: {how_to_get('torch-tensorrt')}, or for RTX GPUs "
            f"{how_to_get('torch-tensorrt-rtx')}"
        )
    import torch

    if not torch.cuda.is_available():
        return "torch-tensorrt needs an NVIDIA GPU: build on a machine with one, or from the model file alone"
    return None


def build_engine_of(
    network: Network,
    profile: Profile,
    options: BuildOptions,
    *,
    about: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Engine:
    """Return the engine of a network for this machine's current GPU; ``about`` goes into its header.

    Raises :class:`ArgumentError` if the profile has planes other than the network's own or the options a range of
    sizes, and :class:`BackendError` if torch-tensorrt is missing, was compiled for another runtime, or fails.
    """
    planes = GRAYS if network.spec.window.channels == 1 else RGBS
    if profile.planes != planes:
        raise ArgumentError(f"torch-tensorrt builds engines for {'GRAYS' if planes == GRAYS else 'RGBS'} planes only")
    if options.dynamic is not None:
        raise ArgumentError("torch-tensorrt builds engines for one size only: leave out --dynamic")
    absent = missing_front_end()
    if absent:
        raise BackendError(absent)
    _check_runtime(options.runtime)
    plans = {}
    for name, part in engine_parts(network, profile).items():
        plans[name] = _convert(part, options)
        progress(name, 1.0)
    return Engine(plans, dict(about or {}))


def _check_runtime(wanted: Runtime) -> None:
    """Raise :class:`BackendError` if the installed torch-tensorrt builds for the other runtime."""
    from torch_tensorrt._features import ENABLED_FEATURES

    bound: Runtime = "tensorrt-rtx" if ENABLED_FEATURES.tensorrt_rtx else "tensorrt"
    if bound != wanted:
        raise BackendError(f"this torch-tensorrt builds engines for {bound}, not for {wanted}: use --runtime {bound}")


def _convert(part: Part, options: BuildOptions) -> bytes:
    """Return the plan of a part.  Raises :class:`BackendError` if torch-tensorrt cannot convert it."""
    import torch
    import torch_tensorrt
    from torch_tensorrt.dynamo import convert_exported_program_to_serialized_trt_engine

    try:
        with torch.no_grad():
            program = torch.export.export(part.module, part.arguments)
        plan = convert_exported_program_to_serialized_trt_engine(
            program,
            arg_inputs=[torch_tensorrt.Input(tuple(each.shape), dtype=each.dtype) for each in part.arguments],
            arg_input_binding_names=part.inputs,
            output_binding_names=part.outputs,
            disable_tf32=True,
            optimization_level=options.optimization,
            workspace_size=0 if options.workspace is None else options.workspace * MIB // options.streams,
            max_aux_streams=0 if options.streams > 1 else None,
        )
    except (RuntimeError, AssertionError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BackendError(
            f"torch-tensorrt cannot convert the network ({reason}): build from the model file"
        ) from error
    return bytes(plan)
