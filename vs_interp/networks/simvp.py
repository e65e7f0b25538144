"""SimVP: Gao et al. 2022, "SimVP: Simpler yet Better Video Prediction" (arXiv:2206.05099), and its successor with gSTA.

Layers and names are those of OpenSTL (Apache-2.0) and of the first release, A4Bio/SimVP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vs_interp import label_code
from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Compared, Network
from .label_planes import LabelsOut, PlanesIn
from .published import with_counts, without_prefixes
from .simvp_translators import Gsta, IncepU


@dataclass(frozen=True, kw_only=True)
class SimvpConfig:
    """Configuration of a SimVP network.

    frames, channels
        The number of input frames, and of the frames predicted from them; 3 channels for RGB, 1 for grey.
    translator
        ``"gsta"`` or ``"incepu"`` (OpenSTL), or ``"first"``: the first release, which has other activations and
        transposed convolutions, and concatenates its skip connection instead of adding it.
    width, inner
        Channels per frame, and within the translator (``hid_S``, ``hid_T``).
    depth, layers
        Layers of the encoder, every second of which halves the size, and of the translator (``N_S``, ``N_T``).
    ratio, groups
        Expansion of gSTA's MLP; groups of IncepU's convolutions.
    labels
        Whether input and output are labels (see :mod:`vs_interp.label_code`), which are 14 channels inside.
    threshold
        A pixel whose background plane exceeds this is background.
    bgr
        Whether the weights were trained on BGR frames, as OpenCV reads them; RGB is then converted inside.
    """

    frames: int = 10
    channels: int = 3
    translator: Literal["gsta", "incepu", "first"] = "gsta"
    width: int = 64
    inner: int = 256
    depth: int = 4
    layers: int = 8
    ratio: float = 8.0
    groups: int = 8
    labels: bool = False
    threshold: float = label_code.THRESHOLD
    bgr: bool = False


class _Convolution(nn.Module):
    def __init__(self, convolution: nn.Module, width: int, activation: nn.Module) -> None:
        super().__init__()
        self.conv = convolution
        self.norm = nn.GroupNorm(2, width)
        self.act = activation

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.act(self.norm(self.conv(x)))
        return activated


class _Layer(nn.Module):
    """A 3×3 convolution that keeps the size, halves it, or doubles it; then norm and activation."""

    def __init__(self, inputs: int, width: int, change: Literal["same", "half", "double"], first: bool) -> None:
        super().__init__()
        convolution: nn.Module
        if change != "double":
            convolution = nn.Conv2d(inputs, width, 3, 2 if change == "half" else 1, 1)
        elif first:
            convolution = nn.ConvTranspose2d(inputs, width, 3, 2, 1, output_padding=1)
        else:
            convolution = nn.Sequential(nn.Conv2d(inputs, 4 * width, 3, 1, 1), nn.PixelShuffle(2))
        self.conv = _Convolution(convolution, width, nn.LeakyReLU(0.2) if first else nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.conv(x)
        return convolved


class _Encoder(nn.Module):
    """Features of each frame, and those of its first layer, at full size, for the skip connection."""

    def __init__(self, config: SimvpConfig) -> None:
        super().__init__()
        first = config.translator == "first"
        self.enc = nn.Sequential(
            *(
                _Layer(config.width if index else config.channels, config.width, "half" if index % 2 else "same", first)
                for index in range(config.depth)
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = skip = self.enc[0](x)
        for layer in list(self.enc)[1:]:
            x = layer(x)
        return x, skip


class _Decoder(nn.Module):
    """Frames from features; the skip connection enters before the last layer."""

    def __init__(self, config: SimvpConfig) -> None:
        super().__init__()
        first, width = config.translator == "first", config.width
        before = [_Layer(width, width, "same" if index % 2 else "double", first) for index in range(config.depth - 1)]
        self.joins = first
        self.dec = nn.Sequential(*before, _Layer(2 * width if first else width, width, "same", first))
        self.readout = nn.Conv2d(width, config.channels, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        for layer in list(self.dec)[:-1]:
            x = layer(x)
        x = torch.cat((x, skip), 1) if self.joins else x + skip
        frames: Tensor = self.readout(self.dec[-1](x))
        return frames


class Simvp(Network):
    """SimVP: predicts as many frames as it is given, at once, with convolutions only.

    Frames are B×C×H×W in [0, 1], H and W multiples of 2 to the power of half its depth; labels are divided by 255.
    """

    Config = SimvpConfig

    def __init__(self, config: SimvpConfig | None = None) -> None:
        super().__init__()
        self.config: SimvpConfig = config or SimvpConfig()
        _check(self.config)
        c = self.config
        self.enc, self.dec = _Encoder(c), _Decoder(c)
        outer = c.frames * c.width
        self.hid: nn.Module = (
            Gsta(outer, c.inner, c.layers, c.ratio)
            if c.translator == "gsta"
            else IncepU(outer, c.inner, c.layers, c.groups)
        )
        self.planes_in, self.labels_out = PlanesIn(), LabelsOut(c.threshold)

    @property
    def spec(self) -> NetworkSpec:
        """Frames up to the newest in, as many following ones out; not tileable, as norms are over whole pictures."""
        c = self.config
        channels = 1 if c.labels else c.channels
        return NetworkSpec(
            name="simvp",
            window=Window(offsets=tuple(range(1 - c.frames, 1)), channels=channels, labels=c.labels),
            output=Output(
                kind="labels" if c.labels else "frame",
                channels=channels,
                times=tuple(float(time) for time in range(1, c.frames + 1)),
            ),
            multiple_of=2 ** (c.depth // 2),
            minimum=16,
            tileable=False,
            fp32_islands=("/enc/*/norm/*", "/dec/*/norm/*", "/hid/*/norm/*", "*/labels_out/*", "*/planes_in/*"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[SimvpConfig, dict[str, Tensor]] | None:
        """Read the layout of OpenSTL or of the first release, with or without Lightning's prefixes.

        14 channels mean labels.  A file does not tell whether the network was trained on BGR frames.
        """
        wanted = ("enc.", "hid.", "dec.")
        state = without_prefixes(tensors, "state_dict.", "module.", "model.")
        state = {name: tensor for name, tensor in state.items() if name.startswith(wanted)}
        readout, first = state.get("dec.readout.weight"), state.get("enc.enc.0.conv.conv.weight")
        if readout is None or first is None:
            return None
        width, channels = readout.shape[1], readout.shape[0]

        def count(prefix: str) -> int:
            return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})

        depth, layers = count("enc.enc."), count("hid.enc.")
        common: dict[str, Any] = {
            "channels": channels, "width": width, "depth": depth, "layers": layers,
            "labels": channels == label_code.PLANES,
        }  # fmt: skip
        if "hid.enc.0.block.norm1.weight" in state:
            outer, last = (state[f"hid.enc.{index}.block.norm1.weight"].shape[0] for index in (0, layers - 1))
            ratio = state["hid.enc.0.block.mlp.fc1.weight"].shape[0] / outer
            config = SimvpConfig(frames=outer // width, inner=last, ratio=ratio, **common)
        else:
            wide, branch = state["hid.enc.0.conv1.weight"], state["hid.enc.0.layers.0.conv.weight"]
            config = SimvpConfig(
                frames=wide.shape[1] // width,
                inner=branch.shape[0],
                groups=wide.shape[0] // branch.shape[1],
                translator="incepu" if "dec.dec.0.conv.conv.0.weight" in state else "first",
                **common,
            )
        return config, with_counts(state)

    def predicted(self, x: Tensor) -> Tensor:
        """Return the frames that follow, B×T×C×H×W, for frames of the same shape; not clamped."""
        batch, time, channels, height, width = x.shape
        features, skip = self.enc(x.reshape(batch * time, channels, height, width))
        _, *size = features.shape
        translated = self.hid(features.reshape(batch, time * size[0], *size[1:]))
        frames: Tensor = self.dec(translated.reshape(batch * time, *size), skip)
        return frames.view(batch, time, channels, height, width)

    def compared(self, inputs: tuple[Tensor, ...], truth: Tensor) -> Compared:
        """Compare frames, or the fourteen planes of labels."""
        if not self.config.labels:
            return super().compared(inputs, truth)
        planes = self.predicted(self.planes_in(torch.stack(inputs, 1))).flatten(0, 1).float()
        return Compared(planes, self.planes_in(truth[:, None])[:, 0], self.labels_out(planes))

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the frames that follow, B·T×C×H×W, those of each window in a row; labels in steps of 1/255."""
        window = torch.stack(frames, 1)
        if self.config.labels:
            made: Tensor = self.labels_out(self.predicted(self.planes_in(window)).flatten(0, 1))
            return made
        if self.config.bgr:
            return self.predicted(window.flip(2)).flip(2).flatten(0, 1)
        return self.predicted(window).flatten(0, 1)


def _check(config: SimvpConfig) -> None:
    """Raise :class:`ArgumentError` for an impossible configuration."""
    if config.translator not in ("gsta", "incepu", "first"):
        raise ArgumentError(f"translator is {config.translator!r}: it must be 'gsta', 'incepu' or 'first'")
    if min(config.frames, config.channels, config.layers - 1) < 1 or config.depth < 2 or config.depth % 2:
        raise ArgumentError(
            f"SimVP of {config.frames} frames, {config.channels} channels, depth {config.depth}, layers "
            f"{config.layers}: give 1 or more frames and channels, an even depth, and 2 layers or more"
        )
    if config.labels and config.channels != label_code.PLANES:
        raise ArgumentError(f"labels need channels = {label_code.PLANES}, not {config.channels}")
    if config.bgr and config.channels != 3:
        raise ArgumentError(f"bgr needs channels = 3, not {config.channels}")
