"""Fixtures that several files share since they take long to make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vs_interp.networks.flavr import Flavr


@dataclass(frozen=True)
class Exported:
    """A network of random weights, and the model file it was exported to."""

    network: Flavr
    path: Path


@pytest.fixture(scope="session")
def small_flavr(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """FLAVR for 4×, a thirty-second of the published width."""
    import torch

    from trt_build.export import export
    from vs_interp.networks.flavr import Flavr, FlavrConfig

    torch.manual_seed(2)
    network = Flavr(FlavrConfig(factor=4, width=2, encoder_bias=True)).eval()
    path = tmp_path_factory.mktemp("flavr") / "flavr-4x.onnx"
    export(network, path)
    return Exported(network, path)
