"""PyTorch's two layouts read without PyTorch: the same tensors, and nothing of a stranger's file is run."""

from __future__ import annotations

import collections
import datetime
import io
import random
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.published import published_checkpoint
from vs_interp.errors import CheckpointError
from vs_interp.weights.torch_file import read_torch

LAYOUTS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "stream"])

MUTATED = 500
"""Files of each layout."""


def saved(path: Path, content: Any, legacy: bool) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def checkpoint() -> dict[str, Any]:
    torch.manual_seed(0)
    layers = [(f"layer{index}.weight", torch.randn(8, 4, 3, 3)) for index in range(6)]
    return {"state_dict": collections.OrderedDict(layers), "date": datetime.datetime(2020, 1, 2), "epoch": 3}


@LAYOUTS
def test_tensors_of_every_kind_are_those_that_were_saved(tmp_path: Path, legacy: bool) -> None:
    """Transposed, shared, empty and scalar ones, of every type, in nested containers beside what is no tensor."""
    tensors = {
        "turned": torch.randn(3, 4).t(),
        "part": torch.arange(20).view(4, 5)[1:3, 2:],
        "scalar": torch.tensor(2.5).half(),
        "empty": torch.zeros(0, 3),
        "brain": torch.randn(7).bfloat16(),
        "parameter": torch.nn.Parameter(torch.randn(4)),
        **{
            str(kind): torch.ones(3).to(kind)
            for kind in (torch.float64, torch.int32, torch.int16, torch.uint8, torch.bool)
        },
    }
    tensors["shared"] = tensors["turned"]
    content = {"model": collections.OrderedDict(tensors), "epoch": 3, "when": datetime.datetime(2021, 5, 6, 7, 8),
               "losses": [1.5, None, True, "text", (1, 2)], "size": torch.Size([1, 2])}  # fmt: skip
    found = read_torch(saved(tmp_path / "some.pt", content, legacy))
    assert list(found) == [f"model.{name}" for name in tensors]
    for name, tensor in tensors.items():
        plain = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
        np.testing.assert_array_equal(found[f"model.{name}"], plain.numpy(), strict=True)


@pytest.mark.published
@pytest.mark.parametrize("name", ["rife-4.0", "rife-4.6", "rife-4.25"])
def test_published_files_are_read_as_pytorch_reads_them(name: str) -> None:
    with published_checkpoint(name) as path:
        found, wanted = read_torch(path), torch.load(path, map_location="cpu", weights_only=True)
    assert list(found) == list(wanted)
    assert all(np.array_equal(found[key], tensor.numpy()) for key, tensor in wanted.items())


class Command:
    """What a stranger's file would run."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.target}",)


@LAYOUTS
def test_code_is_refused_by_its_name_and_not_run(tmp_path: Path, legacy: bool) -> None:
    target = tmp_path / "run"
    path = saved(tmp_path / "evil.pt", {"weight": torch.zeros(2), "more": Command(target)}, legacy)
    with pytest.raises(CheckpointError, match=r"evil.pt is refused: .* would run code when loaded .*\.system"):
        read_torch(path)
    assert not target.exists()


@pytest.mark.parametrize("content", [torch.zeros(3).expand(1 << 40, 3), torch.device("cpu"), np.float64(1)], ids=str)
def test_what_is_no_plain_tensor_is_refused(tmp_path: Path, content: Any) -> None:
    """A tensor that shows its elements more often than it has them would fill any memory."""
    with pytest.raises(CheckpointError):
        read_torch(saved(tmp_path / "odd.pt", {"weight": content}, legacy=False))


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    """PyTorch never compresses: a small file that grows to terabytes is none of its own."""
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 20))
    with pytest.raises(CheckpointError, match=r"data\.pkl is compressed, which torch.save never does"):
        read_torch(tmp_path / "bomb.pt")


@LAYOUTS
def test_half_a_download_is_an_error(tmp_path: Path, legacy: bool) -> None:
    path = saved(tmp_path / "half.pt", checkpoint(), legacy)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reason = "" if legacy else "File is not a zip file"
    with pytest.raises(CheckpointError, match=rf"half\.pt is not a PyTorch checkpoint, or a truncated one \({reason}"):
        read_torch(path)


def test_the_error_about_a_large_damaged_file_can_be_read(tmp_path: Path) -> None:
    """Python's own errors quote the whole text that they cannot decode, which can be megabytes."""
    path = saved(tmp_path / "long.pt", {"x" * 100_000 + "é": torch.zeros(2)}, legacy=True)
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xff"))
    with pytest.raises(CheckpointError, match=r"download or save it again$") as raised:
        read_torch(path)
    assert len(str(raised.value)) < 3_000


@LAYOUTS
def test_mutated_files_are_an_error_or_the_right_tensors(tmp_path: Path, legacy: bool) -> None:
    """A thousand files with bytes changed, lost or cut off.

    The zip has checksums, so that what is read is right.  The stream has none: there, what is read may be other numbers
    or names, which the catalogue's SHA-256 finds, but is never anything but arrays.
    """
    path = saved(tmp_path / "mutated.pt", checkpoint(), legacy)
    good, right, random_ = path.read_bytes(), read_torch(path), random.Random(4)
    refused = 0
    for _ in range(MUTATED):
        path.write_bytes(mutated(good, random_))
        try:
            found = read_torch(path)
        except CheckpointError:
            refused += 1
            continue
        assert all(isinstance(tensor, np.ndarray) for tensor in found.values())
        if not legacy:
            assert list(found) == list(right)
            assert all(np.array_equal(found[name], right[name]) for name in right)
    assert refused > MUTATED // 2


def mutated(content: bytes, random_: random.Random) -> bytes:
    """Return the content cut off, with a part lost, or with up to eight bytes changed, most of them in the pickles."""
    changed, how = bytearray(content), random_.random()
    if how < 0.15:
        return bytes(changed[: random_.randrange(len(changed))])
    if how < 0.3:
        start = random_.randrange(len(changed))
        del changed[start : start + random_.randrange(1, 64)]
        return bytes(changed)
    for _ in range(random_.choice((1, 1, 2, 8))):
        end = len(changed) if random_.random() < 0.3 else min(len(changed), 1500)
        changed[random_.randrange(end)] = random_.randrange(256)
    return bytes(changed)


def test_a_pickle_cannot_reserve_memory_by_its_numbers(tmp_path: Path) -> None:
    """Python's own unpickler would reserve sixteen bytes for every number up to the one that a pickle names."""
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(1)}, stream, _use_new_zipfile_serialization=False)
    start = stream.getvalue().index(b"}")
    huge = stream.getvalue()[: start + 1] + b"r" + (0xFFFFFFFF).to_bytes(4, "little") + stream.getvalue()[start + 1 :]
    path = tmp_path / "huge.pt"
    path.write_bytes(huge)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert list(read_torch(path)) == ["weight"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB
