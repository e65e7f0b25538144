"""Networks of others, as spandrel recognises them: its descriptor says what our spec must say.

spandrel (https://github.com/chaiNNer-org/spandrel, MIT) tells some forty architectures apart by their tensors.  It is
given tensors alone, which :mod:`vs_interp.weights.checkpoint` has read: its own reader of files is not used.
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
"""Under one of these names training programs keep the weights; averaged ones come first."""


class Foreign(Network):
    """A super-resolution network of spandrel's.

    Frames are B×C×H×W in [0, 1]: RGB, or luma where the network takes one channel.  Unlike spandrel's own call nothing
    is padded or clamped here: those who serve a model file do both.
    """

    Config = ImageModelDescriptor

    def __init__(self, descriptor: ImageModelDescriptor) -> None:
        super().__init__()
        self.config = descriptor
        self.model = descriptor.model

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the same enlarged out; what spandrel does not run in half precision stays FP32 as a whole."""
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

        Raises :class:`CheckpointError` where spandrel knows the network, but it does not enlarge pictures, takes other
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
    """Return what spandrel makes of the tensors below the first wrapper that it knows a network in."""
    for wrapper in WRAPPERS:
        inner = {name.removeprefix(wrapper): value for name, value in tensors.items() if name.startswith(wrapper)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what is going to change in PyTorch
                return ModelLoader().load_from_state_dict(canonicalize_state_dict(inner)).eval()
        except UnsupportedModelError:
            continue
        except Exception as error:  # a stranger's tensors may contradict each other anywhere
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise CheckpointError(f"has tensors that spandrel cannot build a network of ({reason[0]})") from error
    return None
