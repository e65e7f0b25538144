"""What ``tools/enlarging_reference.py`` gives to others' implementations: a picture, and weights from seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vs_interp.networks.base import Network
from vs_interp.networks.upconv7 import UpConv7
from vs_interp.networks.upcunet import AROUND, UpCunet, UpCunetConfig

from .reference import weight


@dataclass(frozen=True)
class NcnnCase:
    """The layers of a model that others publish in ncnn's format, and what here must be equal to them."""

    family: str
    model: str
    network: Network

    @property
    def scale(self) -> int:
        """How many times the picture is enlarged."""
        return self.network.spec.output.scale

    @property
    def around(self) -> int:
        """Pixels that the layers take away on each side."""
        return AROUND[self.scale] if isinstance(self.network, UpCunet) else 7

    @property
    def padding(self) -> str:
        """How NumPy calls what is around the picture."""
        return "reflect" if getattr(self.network.config, "edge", "") == "reflect" else "edge"


NCNN_CASES = (
    NcnnCase("real-cugan", "models-se/up2x-conservative", UpCunet()),
    NcnnCase("real-cugan", "models-se/up3x-conservative", UpCunet(UpCunetConfig(scale=3))),
    NcnnCase("real-cugan", "models-se/up4x-conservative", UpCunet(UpCunetConfig(scale=4))),
    NcnnCase("real-cugan", "models-nose/up2x-no-denoise", UpCunet(UpCunetConfig(gated=False))),
    NcnnCase("waifu2x", "models-cunet/scale2.0x_model", UpCunet(UpCunetConfig(edge="replicate"))),
    NcnnCase("waifu2x", "models-upconv_7_photo/scale2.0x_model", UpConv7()),
)


def picture() -> NDArray[np.float32]:
    """Return waves of several lengths in three colours, 3×20×28, in [0, 1]."""
    y, x = np.mgrid[:20, :28]
    waves = [np.sin(x / a + y / b) for a, b in ((1.7, 2.9), (2.3, -1.9), (-1.3, 3.1))]
    return (0.5 + 0.5 * np.stack(waves)).astype(np.float32)


def seeded(case: NcnnCase) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a case under the names that they have here, in the order of its layers."""
    shapes = {name: tuple(tensor.shape) for name, tensor in case.network.state_dict().items()}
    return {name: weight(f"{case.model}/{name}", shape) for name, shape in shapes.items()}


def kept(made: NDArray[Any]) -> NDArray[np.float32]:
    """Return what is stored of a picture: every third pixel of every third line."""
    return made[:, ::3, ::3].astype(np.float32)
