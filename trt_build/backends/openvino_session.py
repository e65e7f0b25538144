"""One stream of the OpenVINO backend: its input buffers, and a request for each compiled graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trt_build.graphs.grids import with_transposed_grids
from trt_build.graphs.subpixel import with_subpixels
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, RGBS, Profile, made_profile
from vs_interp.errors import BackendError

from .base import Picture
from .frames import fill
from .openvino_layout import with_planar_resizes

if TYPE_CHECKING:
    import onnx
    import openvino


def compiled_graph(
    graph: onnx.ModelProto, size: tuple[int, int], device: str, options: Mapping[str, str]
) -> openvino.CompiledModel:
    """Return the graph compiled for frames of one (height, width), since static graphs run faster."""
    import openvino

    core = openvino.Core()
    model = core.read_model(with_transposed_grids(with_subpixels(graph)).SerializeToString(), b"")
    shapes = {}
    for port in model.inputs:
        partial = port.get_partial_shape()
        if partial[2].is_dynamic:
            shapes[port.get_any_name()] = [1, partial[1].get_length(), *size]
    model.reshape(shapes)
    if device.startswith("CPU"):
        model = with_planar_resizes(model)
    return core.compile_model(model, device, dict(options))


class OpenVINOSession:
    """A session on a CPU, or on an Intel GPU or NPU; see :class:`~trt_build.backends.base.Session`."""

    def __init__(
        self,
        model: ModelFile,
        profile: Profile,
        state: openvino.CompiledModel | None,
        synthesis: openvino.CompiledModel,
    ) -> None:
        import openvino

        self._spec, self._dtype = model.spec, profile.planes.dtype
        self._clamped = model.spec.input_range == "clamped" and profile.planes in (RGBS, GRAYS)
        self._made_dtype = made_profile(model.spec, profile).planes.dtype
        self._state = None if state is None else state.create_infer_request()
        self._synthesis = synthesis.create_infer_request()
        buffers: dict[str, NDArray[Any]] = {}
        known = {*model.spec.state, *(value.name for value in model.graph.graph.input)}
        for request in filter(None, (self._state, self._synthesis)):
            for port in request.model_inputs:
                (name,) = known & port.get_names()  # a tensor that is passed on unchanged has several names
                if self._state is not None and name in model.spec.state:
                    request.set_tensor(port, self._state.get_tensor(name))
                    continue
                buffer = buffers.setdefault(name, np.empty(port.shape, port.element_type.to_dtype()))
                request.set_tensor(port, openvino.Tensor(buffer, shared_memory=True))
        self._time = buffers.get("time", np.empty(1, np.float32))
        self._frames = [
            [
                plane
                for name in sorted(buffers)
                if name.split("_")[0] == frame
                for plane in buffers[name].view(self._dtype)[0]
            ]
            for frame in model.spec.frame_inputs
        ]
        self._keys: list[int | None] = [None] * len(self._frames)

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """See :class:`~trt_build.backends.base.Session`."""
        for index, (picture, key) in enumerate(zip(window, keys, strict=True)):
            if self._keys[index] != key:
                fill(self._frames[index], picture)
                if self._clamped:
                    for plane in self._frames[index]:
                        np.clip(plane, 0, 1, out=plane)
                self._keys[index] = key
        try:
            if self._state is not None:
                self._state.infer(share_outputs=True)  # else every output is copied, for nobody
            if not self._spec.takes_time:
                self._synthesis.infer(share_outputs=True)
                self._take(out)
                return
            for time, picture in zip(times, out, strict=True):
                self._time[...] = time
                self._synthesis.infer(share_outputs=True)
                self._take([picture])
        except RuntimeError as error:
            self._keys = [None] * len(self._frames)
            raise BackendError(f"OpenVINO failed: {str(error).strip().splitlines()[-1]}") from error

    def _take(self, out: Sequence[Picture]) -> None:
        """Copy the pictures of a run, which are larger than ``out`` if frames were padded."""
        made = [tensor.data.view(self._made_dtype) for tensor in self._synthesis.output_tensors]
        for index, picture in enumerate(out):
            planes = [plane for tensor in made for plane in tensor[index]]
            for plane, values in zip(picture, planes, strict=True):
                plane[...] = values[: plane.shape[0], : plane.shape[1]]
