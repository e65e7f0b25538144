"""Compact (SRVGGNet), the small network of Wang et al. 2021, "Real-ESRGAN" (arXiv:2107.10833)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network


@dataclass(frozen=True, kw_only=True)
class CompactConfig:
    """Configuration of a Compact network.

    scale
        Upscaling factor.
    native_scale
        The scale that the weights were trained for; for a smaller ``scale`` the output is shrunk bicubically, as
        ``realesr-animevideov3`` does for ×2 and ×3.
    features, convolutions
        Channels of the convolutions, and their number between the first and the last.
    """

    scale: int = 4
    native_scale: int = 4
    features: int = 64
    convolutions: int = 16


class Compact(Network):
    """A plain stack of 3×3 convolutions with PReLU, then a pixel shuffle, added to the enlarged picture.

    Frames are B×3×H×W RGB in [0, 1].  ``body`` has the names of the published checkpoints.
    """

    Config = CompactConfig

    def __init__(self, config: CompactConfig | None = None) -> None:
        super().__init__()
        self.config: CompactConfig = config or CompactConfig()
        width = self.config.features
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1), nn.PReLU(width)]
        for _ in range(self.config.convolutions):
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * self.config.native_scale**2, 3, 1, 1))
        self.body = nn.Sequential(*layers)

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the upscaled picture out."""
        return NetworkSpec(
            name="compact",
            window=Window(offsets=(0,)),
            output=Output(times=(0.0,), scale=self.config.scale),
            minimum=8,
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[CompactConfig, dict[str, Tensor]] | None:
        """Read a ``.pth`` (``body.N.…`` in ``params`` or ``params_ema``), or an ncnn file with its own layer names."""
        if "Conv_0.weight" in tensors and "PRelu_1.weight" in tensors:
            state, shrink = _from_layers(tensors)
        else:
            found = [prefix for prefix in ("params_ema.", "params.", "") if f"{prefix}body.0.weight" in tensors]
            if not found:
                return None
            state = {name.removeprefix(found[0]): value for name, value in tensors.items() if name.startswith(found[0])}
            shrink = Fraction(1)
        numbers = [int(name.split(".")[1]) for name in state if name.startswith("body.")]
        first, last = state["body.0.weight"], state.get(f"body.{max(numbers)}.weight")
        if first.dim() != 4 or last is None or last.dim() != 4:
            return None
        native = round((last.shape[0] / 3) ** 0.5)
        config = CompactConfig(
            scale=int(native * shrink), native_scale=native, features=first.shape[0], convolutions=max(numbers) // 2 - 1
        )
        return config, state

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×S·H×S·W picture."""
        scale, native = self.config.scale, self.config.native_scale
        enlarged = functional.pixel_shuffle(self.body(frames[0]), native)
        enlarged = enlarged + functional.interpolate(frames[0], scale_factor=float(native), mode="nearest")
        if scale == native:
            return enlarged
        return functional.interpolate(enlarged, scale_factor=scale / native, mode="bicubic", align_corners=False)


def _from_layers(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Fraction]:
    """Rename the layers of an ncnn file to those of ``body``; also return the factor of a last layer that shrinks."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in tensors if not name.startswith("Resize")))
    numbers = {layer: number for number, layer in enumerate(layers)}
    state, shrink = {}, Fraction(1)
    for name, value in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer in numbers:
            state[f"body.{numbers[layer]}.{kind}"] = value
        elif float(value) < 1:
            shrink = Fraction(float(value))
    return state, shrink
