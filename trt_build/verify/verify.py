"""Compare an engine, or the FP16 graph that it is built from, with the FP32 graph run on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray

from trt_build.backends.film import Pixels
from trt_build.backends.signal_stack import signal_stack_kept
from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.precision import to_half
from trt_build.model_file import ModelFile
from trt_build.profile import Profile, made_profile
from vs_interp.errors import BackendError
from vs_interp.log import logger
from vs_interp.metrics import decibels
from vs_interp.spec import NetworkSpec

from .emulation import emulate_half
from .first_wrong import first_wrong
from .part import part_that_fits
from .probe import Probe, probe, to_planes

if TYPE_CHECKING:
    from trt_build.backends.base import Session

LIMIT = 50.0
"""PSNR in dB that every content must reach."""

LIMIT_LABELS = 99.0
"""Percentage of pixels whose labels must be equal, of every content."""

FLOW_PEAK = 20.0
"""Pixels of motion taken as the peak of a flow's PSNR: 50 dB are then a root mean square error of 0.06 pixels."""

EQUAL = 100.0
"""Score in dB of equal pictures."""

TIME = 0.5
STRIP = 288
"""Size in pixels to which the shorter side is cropped to test a graph.  FP16 fails on large coordinates, and the longer
side has these."""


def verify_session(session: Session, model: ModelFile, profile: Profile) -> dict[str, float]:
    """Run a session on the probe, and return content → PSNR in dB; for labels, the percentage of equal pixels.

    Raises :class:`BackendError` if a score is below the limit (:data:`LIMIT`, :data:`LIMIT_LABELS`), and says whether
    FP16 rounding alone explains that and at which node.  If memory is short, only a part of the picture is compared.
    If that is impossible because the network looks at the whole picture, a warning is logged and no scores are
    returned.
    """
    found = part_that_fits(model, profile)
    if found is None:
        logger.warning(
            "the engine of %s at %dx%d is not compared with its FP32 graph, which needs more memory than is free;"
            " only its FP16 graph is tested, on a strip",
            model.spec.name, profile.width, profile.height,
        )  # fmt: skip
        verify_graph(model, profile)
        return {}
    part, margin = found
    window = probe(model.spec, part.width, part.height)
    planes = [to_planes(_widened(frame, profile), profile) for frame in window.frames]
    wanted = _reference(model, part, [_cut(picture, part) for picture in planes])
    whole = made_profile(model.spec, profile)
    made = [[np.empty(size, wanted[0].dtype) for size in whole.plane_sizes] for _ in range(model.spec.pictures)]
    session.run(planes, range(len(planes)), model.spec.output.times or (TIME,), made)
    stacked = [
        np.stack([picture[index] for picture in made])[:, : plane.shape[1], : plane.shape[2]]
        for index, plane in enumerate(wanted)
    ]
    inside = part.height - margin * (part.height < profile.height), part.width - margin * (part.width < profile.width)
    scores = _scores(stacked, wanted, window.within(inside), model.spec, part)
    if min(scores.values()) < _limit(model.spec):
        verify_graph(model, profile)
        raise BackendError(
            f"the engine differs from its FP32 graph ({_worst(scores, model.spec)}), and FP16 rounding does not explain"
            " it: another version of the runtime may be needed; please report this"
        )
    return scores


def verify_graph(model: ModelFile, profile: Profile) -> dict[str, float]:
    """Like :func:`verify_session` for the FP16 graph itself, emulated on the CPU (see :func:`emulate_half`).

    The picture is a strip as long as the profile's longer side and :data:`STRIP` pixels wide.
    """
    width, height = profile.width, profile.height
    width, height = (width, min(height, STRIP)) if width >= height else (min(width, STRIP), height)
    rows, columns = model.spec.fixed or (model.spec.padded(height), model.spec.padded(width))
    strip = Profile(width=columns, height=rows)
    window = probe(model.spec, strip.width, strip.height)
    inputs: dict[str, NDArray[Any]] = {
        name: frame[np.newaxis] for name, frame in zip(model.spec.frame_inputs, window.frames, strict=True)
    }
    if model.spec.takes_time:
        inputs["time"] = np.full((1, 1, 1, 1), TIME, np.float32)
    half = emulate_half(to_half(model))
    wanted, made = (run_graph(graph, inputs, ("output",))["output"] for graph in (model.graph, half.graph))
    scores = _scores(list(np.moveaxis(made, 1, 0)), list(np.moveaxis(wanted, 1, 0)), window, model.spec, strip)
    if min(scores.values()) < _limit(model.spec):
        node = first_wrong(
            model.graph,
            lambda names: run_graph(model.graph, inputs, names),
            lambda names: run_graph(half.graph, inputs, names),
        )
        raise BackendError(
            f"half precision is not enough for this model ({_worst(scores, model.spec)}); the error appears at the"
            f" node {node.name} ({node.op_type}): add it, or nodes before it, to fp32_islands of the network's spec"
        )
    return scores


def run_graph(
    graph: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]], names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return the named tensors of a graph, outputs or inner ones, computed in FP32 by OpenVINO."""
    import openvino

    shown = onnx.ModelProto()
    shown.CopyFrom(graph)
    known = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    core = openvino.Core()
    try:
        model = core.read_model(shown.SerializeToString(), b"")
        model.reshape({port.get_any_name(): list(inputs[port.get_any_name()].shape) for port in model.inputs})
        with signal_stack_kept():
            compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found = compiled({port.get_any_name(): inputs[port.get_any_name()] for port in model.inputs})
    except RuntimeError as error:
        raise BackendError(f"OpenVINO cannot run the graph: {str(error).strip().splitlines()[-1]}") from error
    return {name: np.array(found[name]) for name in names}


def _reference(model: ModelFile, profile: Profile, planes: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Return the planes that the FP32 graph makes, each pictures × height × width."""
    graph = with_planes(model, profile).graph
    inputs: dict[str, NDArray[Any]] = {"time": np.full((1, 1, 1, 1), TIME, np.float32)}
    for frame, picture in zip(model.spec.frame_inputs, planes, strict=True):
        for index, plane in enumerate(picture):
            inputs[f"{frame}_plane{index}"] = _stored(plane)[np.newaxis, np.newaxis]
    planes_made = made_profile(model.spec, profile).planes
    names = [f"output_plane{index}" for index in range(planes_made.planes)]
    found = run_graph(graph, inputs, names)
    return [np.ascontiguousarray(found[name][:, 0]).view(planes_made.dtype) for name in names]


def _widened(frame: Pixels, profile: Profile) -> Pixels:
    """Return a frame extended to the profile's size, mirrored beyond its right and lower edges."""
    _, height, width = frame.shape
    return np.pad(frame, ((0, 0), (0, profile.height - height), (0, profile.width - width)), "symmetric")


def _cut(planes: Sequence[NDArray[Any]], part: Profile) -> list[NDArray[Any]]:
    return [plane[:height, :width] for plane, (height, width) in zip(planes, part.plane_sizes, strict=True)]


def _stored(plane: NDArray[Any]) -> NDArray[Any]:
    """Return a plane as graphs take it, with 16-bit integers as pairs of bytes."""
    return np.ascontiguousarray(plane).view(np.uint8) if plane.dtype == np.dtype("<u2") else plane


def _scores(
    made: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]], window: Probe, spec: NetworkSpec, profile: Profile
) -> dict[str, float]:
    """Return content → PSNR in dB over all planes (each pictures × height × width); for labels, the percentage equal.

    A network that makes only a part of the picture has one score for all contents.
    """
    planes = made_profile(spec, profile).planes
    peak = FLOW_PEAK if spec.output.kind == "flow" else 1.0 if planes.floating else 255 * 2.0 ** (planes.bits - 8)
    height, width = window.frames[0].shape[1:]
    everywhere = {"all contents": (slice(0, height), slice(0, width))}
    scores = {}
    for content, (rows, columns) in (window.tiles if spec.output.crop is None else everywhere).items():
        total, equal, count = 0.0, 0, 0
        for left, right in zip(made, wanted, strict=True):
            part = _scaled(rows, left.shape[1], height), _scaled(columns, left.shape[2], width)
            difference = left[:, *part].astype(np.float64) - right[:, *part]
            total, count = total + float((difference**2).sum()), count + difference.size
            equal += int((np.abs(difference) < 0.5 / 255).sum())
        labels = spec.output.kind == "labels"
        scores[content] = round(100 * equal / count, 3) if labels else _decibels(total / count / peak**2)
    return scores


def _limit(spec: NetworkSpec) -> float:
    return LIMIT_LABELS if spec.output.kind == "labels" else LIMIT


def _decibels(error: float) -> float:
    """Return the PSNR in dB for a mean square error relative to the peak; 0 if the error is not finite."""
    if not np.isfinite(error):
        return 0.0
    return round(min(EQUAL, decibels(error)), 2)


def _scaled(part: slice, length: int, whole: int) -> slice:
    """Return a slice of an axis of length ``whole`` scaled to one of length ``length``."""
    return slice(part.start * length // whole, part.stop * length // whole)


def _worst(scores: Mapping[str, float], spec: NetworkSpec) -> str:
    content, unit = min(scores, key=scores.__getitem__), "% equal" if spec.output.kind == "labels" else "dB"
    return f"{scores[content]:.1f} {unit} on {content}, {_limit(spec):.0f} {unit} are needed"
