"""The ncnn reader on a model written here by ncnn's description of its files, and on the real ones where they are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from vs_interp.errors import CheckpointError
from vs_interp.networks.compact import Compact, CompactConfig
from vs_interp.weights.checkpoint import load_checkpoint
from vs_interp.weights.ncnn import read_ncnn

HEADER = "7767517\n{count} {count}\n"


def write(folder: Path, lines: list[str], binary: bytes) -> Path:
    path = folder / "model.param"
    path.write_text(HEADER.format(count=len(lines)) + "\n".join(lines) + "\n")
    path.with_suffix(".bin").write_bytes(binary)
    return path


def test_weights_of_either_precision_and_constants_are_read(tmp_path: Path) -> None:
    """Odd numbers of half floats are filled up to four bytes; biases and slopes are always float32."""
    half = np.arange(9, dtype="<f2") / 8
    full = np.arange(4, dtype="<f4")
    binary = (0x01306B47).to_bytes(4, "little") + half.tobytes() + b"\0\0"
    binary += np.array([0.5], "<f4").tobytes()
    binary += bytes(4) + full.tobytes()
    binary += np.array([0.1, 0.2], "<f4").tobytes() + np.array([1, 2, 3], "<f4").tobytes()
    lines = [
        "Input        in   0 1 a",
        "Convolution  half 1 1 a b 0=1 1=3 4=1 5=1 6=9",
        "Convolution  full 1 1 b c 0=2 1=1 6=4",
        "PReLU        act  1 1 c d 0=2",
        "MemoryData   mean 0 1 e 0=1 1=1 2=3",
        "BinaryOp     gain 1 1 d f 0=2 1=1 2=2.550000e+02",
        "Interp       size 1 1 f g 0=3 1=5.000000e-01 2=5.000000e-01",
    ]
    tensors = read_ncnn(write(tmp_path, lines, binary))
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "half.weight": (1, 1, 3, 3), "half.bias": (1,), "full.weight": (2, 2, 1, 1), "act.weight": (2,),
        "mean.data": (3,), "gain.factor": (), "size.scale": (),
    }  # fmt: skip
    assert np.array_equal(tensors["half.weight"].flatten(), half.astype(np.float32))
    assert np.array_equal(tensors["full.weight"].flatten(), full)
    assert (float(tensors["half.bias"][0]), float(tensors["gain.factor"]), float(tensors["size.scale"])) == (
        0.5,
        255,
        0.5,
    )


def test_transposed_convolutions_and_products_are_shaped_as_pytorch_s(tmp_path: Path) -> None:
    """ncnn keeps transposed convolutions by their outputs, PyTorch by their inputs; lists hold no weights."""
    numbers = np.arange(24, dtype="<f4")
    binary = bytes(4) + numbers.tobytes() + bytes(4) + numbers[:6].tobytes() + numbers[:2].tobytes()
    lines = [
        "Input         in    0 1 a",
        "Deconvolution up    1 1 a b 0=2 1=2 3=2 6=24 9=2 -23310=1,1.000000e-01",
        "Crop          cut   1 1 b c -23309=2,4,4 -23310=2,-4,-4 -23311=2,-2,-1",
        "Pooling       mean  1 1 c d 0=1 4=1",
        "InnerProduct  gate  1 1 d e 0=2 1=1 2=6 9=4",
        "Scale         scale 2 1 c e f 0=-233",
    ]
    tensors = read_ncnn(write(tmp_path, lines, binary))
    assert np.array_equal(tensors["up.weight"], numbers.reshape(2, 3, 2, 2).swapaxes(0, 1))
    assert np.array_equal(tensors["gate.weight"], numbers[:6].reshape(2, 3))
    assert np.array_equal(tensors["gate.bias"], numbers[:2])


def test_a_compact_network_comes_back_from_its_layers(tmp_path: Path) -> None:
    """Convolutions and PReLU in their order, odd names as exporters give them, and the factor of the last resizing."""
    torch.manual_seed(1)
    original = Compact(CompactConfig(scale=2, features=8, convolutions=1)).eval()
    lines, binary = ["Input input.1 0 1 data"], b""
    for number, layer in enumerate(original.body):
        kind = "Convolution Conv" if isinstance(layer, torch.nn.Conv2d) else "PReLU PRelu"
        values = [value.detach().numpy() for value in layer.parameters()]
        shape = f"0={len(values[0])} 1=3 4=1 5=1 6={values[0].size}"
        lines.append(f"{kind}_{number} 1 1 a b {shape}")
        binary += (bytes(4) if len(values) > 1 else b"") + b"".join(value.tobytes() for value in values)
    lines += [
        "PixelShuffle DepthToSpace_9 1 1 a b 0=4",
        "Interp Resize_11 1 1 a b 0=1 1=4.000000e+00 2=4.000000e+00",
        "BinaryOp Add_12 2 1 a b c",
        "Interp Resize_14 1 1 a b 0=3 1=5.000000e-01 2=5.000000e-01",
    ]
    network = load_checkpoint(write(tmp_path, lines, binary))
    assert network.config == original.config
    frame = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(network(frame), original(frame))


@pytest.mark.parametrize(
    ("lines", "binary", "message"),
    [
        (["Convolution c 1 1 a b 0=1 1=1 6=4"], bytes(12), "ends 8 bytes early"),
        (["Convolution c 1 1 a b 0=1 1=1 6=1"], bytes(12), "has 4 bytes more than"),
        (["Convolution c 1 1 a b 0=1 1=1 6=1"], b"\x01\2\3\4" + bytes(4), "unknown format 0x4030201"),
        (["LSTM c 1 1 a b 0=1"], b"", "layer c is of the unknown kind LSTM"),
        (["Scale c 1 1 a b 0=64"], b"", "layer c is of the unknown kind Scale"),
        (["Deconvolution c 1 1 a b 0=1"], b"", "lacks the value 1 of its layer c"),
        (["Convolution c 1 1 a b 0=1 1=1 6=1e999"], b"", "does not fit"),
        (["Convolution c one 1 a b"], b"", "not an ncnn .param file"),
    ],
)
def test_what_is_damaged_or_unknown_is_one_line(tmp_path: Path, lines: list[str], binary: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_ncnn(write(tmp_path, lines, binary))


def test_a_missing_half_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, ["Input a 0 1 a"], b"")
    path.with_suffix(".bin").unlink()
    with pytest.raises(CheckpointError, match=r"cannot read .*model.bin: No such file"):
        read_ncnn(path)


def test_a_picture_is_no_param_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.param"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"b")
    path.with_suffix(".bin").touch()
    with pytest.raises(CheckpointError, match=r"not an ncnn .param file"):
        read_ncnn(path)
