"""Super-resolution networks that spandrel supports; their spec follows from spandrel's descriptor.

spandrel (https://github.com/chaiNNer-org/spandrel, MIT) recognises some forty architectures by their tensors.  The
tensors are read by :mod:`vs_interp.weights.checkpoint`; spandrel's own file readers are not used.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from spandrel import (
    ImageModelDescriptor,
    ModelDescriptor,
    ModelLoader,
    ModelTiling,
    UnsupportedModelError,
    canonicalize_state_dict,
)
from torch import Tensor

from vs_interp.errors import CheckpointError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network

WRAPPERS = ("", "params_ema.", "params-ema.", "params.", "state_dict.", "model_state_dict.", "model.", "net.")
"""Prefixes under which training programs store the weights, those of averaged weights first."""


class Foreign(Network):
    """A super-resolution network of spandrel.

    Frames are B×C×H×W in [0, 1], RGB or luma.  Unlike spandrel's own call, this neither pads nor clamps: the filters
    do both.
    """

    Config = ImageModelDescriptor

    def __init__(self, descriptor: ImageModelDescriptor) -> None:
        super().__init__()
        self.config = descriptor
        self.model = descriptor.model

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the upscaled picture out; networks that spandrel does not run in FP16 stay FP32."""
        descriptor = self.config
        sizes = descriptor.size_requirements
        return NetworkSpec(
            name=descriptor.architecture.id.lower(),
            window=Window(offsets=(0,), channels=descriptor.input_channels),
            output=Output(channels=descriptor.output_channels, times=(0.0,), scale=descriptor.scale),
            multiple_of=sizes.multiple_of,
            minimum=max(1, sizes.minimum),
            tileable=descriptor.tiling is ModelTiling.SUPPORTED,
            fp32_islands=() if descriptor.supports_half else ("*",),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[ImageModelDescriptor, dict[str, Tensor]] | None:
        """Return spandrel's descriptor and its tensors.

        Raises :class:`CheckpointError` if spandrel knows the network, but it is not for super-resolution, takes other
        channels than RGB or luma, or has tensors that contradict each other.
        """
        descriptor = _recognise(tensors)
        if descriptor is None:
            return None
        name = descriptor.architecture.name
        if not isinstance(descriptor, ImageModelDescriptor) or descriptor.purpose != "SR":
            raise CheckpointError(f"holds {name} for {descriptor.purpose}: only super-resolution is taken")
        channels = descriptor.input_channels, descriptor.output_channels
        if channels not in ((3, 3), (1, 1)):
            raise CheckpointError(
                f"holds {name} from {channels[0]} to {channels[1]} channels: only 3 (RGB) and 1 (luma) are taken"
            )
        return descriptor, {f"model.{name}": value for name, value in descriptor.model.state_dict().items()}

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×C×S·H×S·W picture."""
        copy = frames[0].clone()  # some networks change their input in place
        enlarged: Tensor = self.config._call_fn(self.model, copy)  # the public call pads by size, and clamps
        return enlarged


def _recognise(tensors: Mapping[str, Tensor]) -> ModelDescriptor | None:
    """Return spandrel's descriptor for the tensors under the first prefix with which it recognises a network."""
    for wrapper in WRAPPERS:
        inner = {name.removeprefix(wrapper): value for name, value in tensors.items() if name.startswith(wrapper)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecation warnings of PyTorch
                return ModelLoader().load_from_state_dict(canonicalize_state_dict(inner)).eval()
        except UnsupportedModelError:
            continue
        except Exception as error:  # inconsistent tensors may fail anywhere in spandrel
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CheckpointError(f"has tensors that spandrel cannot build a network of ({reason[0]})") from error
    return None
