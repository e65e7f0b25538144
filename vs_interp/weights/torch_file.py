"""Read the tensors of a PyTorch file without PyTorch, and without running any code in the file.

``torch.save`` has used two layouts, as in :mod:`torch.serialization`: since 1.6 a zip with ``data.pkl`` and a file for
each storage, before that a stream of five pickles followed by the storages.  The pickles are interpreted by
:mod:`.pickled`, which supports tensors and plain containers and refuses everything else by name.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import CheckpointError

from .pickled import Call, PickleError, RefusedError, interpret

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of the older layout."""

BFLOAT16 = np.dtype("<u2")
STORAGES: Mapping[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}

ZIP = b"PK\3\4"
"""What a zip file begins with, also one that is cut short."""

_BROKEN = ValueError, KeyError, TypeError, RecursionError, NotImplementedError, EOFError, OverflowError, MemoryError
"""Errors that reading a damaged file may raise."""

Read = Callable[["_Storage"], NDArray[Any]]


def read_torch(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a PyTorch file; those of nested containers have names joined by dots.

    bfloat16 becomes float32.  Raises :class:`CheckpointError` if the file is missing, truncated or not a PyTorch file,
    or holds anything other than tensors, numbers, strings, dates and plain containers of these.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(len(ZIP)) == ZIP
            file.seek(0)
            content = _read_zip(path) if zipped else _read_stream(file)
        return {name: tensor for name, tensor in _flatten(content) if isinstance(tensor, np.ndarray)}
    except RefusedError as error:
        raise CheckpointError(
            f"{path} is refused: it holds Python objects that would run code when loaded ({error}): ask for a file"
            " with its state_dict alone"
        ) from error
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror or error}") from error
    except (PickleError, zipfile.BadZipFile, *_BROKEN) as error:
        raise CheckpointError(
            f"{path} is not a PyTorch checkpoint, or a truncated one ({error}): download or save it again"
        ) from error


@dataclass(frozen=True)
class _Storage:
    """A storage as a pickle describes it: its key, the type of its elements, and their number."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A tensor as a pickle describes it: the position of its elements in a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def values(self, read: Read) -> NDArray[Any]:
        """Return the tensor's values.  Raises :class:`ValueError` if it exceeds its storage."""
        last = sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        count = int(np.prod(self.shape, dtype=object)) if self.shape else 1
        if min((self.offset, *self.shape, *self.strides)) < 0 or count > self.storage.count:
            raise ValueError(f"a tensor of {self.shape} does not fit its storage of {self.storage.count} elements")
        if count and self.offset + last >= self.storage.count:
            raise ValueError(f"a tensor of {self.shape} ends beyond its storage of {self.storage.count} elements")
        elements = read(self.storage)[self.offset :]
        size = elements.itemsize
        view = np.lib.stride_tricks.as_strided(elements, self.shape, [size * stride for stride in self.strides])
        values = view.copy() if count else np.empty(self.shape, elements.dtype)
        if self.storage.dtype is BFLOAT16:
            return np.left_shift(values, 16, dtype=np.uint32).view(np.float32)
        return values


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        root = next((name[: -len("data.pkl")] for name in archive.namelist() if name.endswith("data.pkl")), None)
        if root is None:
            raise ValueError("a zip without data.pkl")
        order = f"{root}byteorder"
        if order in archive.namelist() and _member(archive, order).strip() != b"little":
            raise ValueError("its values are big-endian")
        found = interpret(io.BytesIO(_member(archive, f"{root}data.pkl")), _call, _storage)

        def read(storage: _Storage) -> NDArray[Any]:
            elements = np.frombuffer(_member(archive, f"{root}data/{storage.key}"), storage.dtype)
            if len(elements) != storage.count:
                raise ValueError(f"storage {storage.key} has {len(elements)} elements, not {storage.count}")
            return elements

        return _with_values(found, read)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive.  PyTorch never compresses: refusing compressed files rules out zip bombs."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, which torch.save never does")
    return archive.read(name)


def _read_stream(file: io.BufferedIOBase) -> Any:
    magic, version = (interpret(file, _call, _storage) for _ in range(2))
    if magic != LEGACY_MAGIC:
        raise ValueError("it begins neither as a zip nor with PyTorch's magic number")
    machine = interpret(file, _call, _storage)
    if version != 1001 or not isinstance(machine, dict) or not machine.get("little_endian", True):
        raise ValueError(f"its layout is {version}, from a machine {machine}")
    storages: dict[str, _Storage] = {}

    def storage(identity: Any) -> _Storage:
        found = _storage(identity[:5])
        if len(identity) > 5 and identity[5] is not None:
            raise ValueError("it holds views of storages, as PyTorch before 0.4 wrote them")
        return storages.setdefault(found.key, found)

    found = interpret(file, _call, storage)
    elements = {}
    for key in interpret(file, _call, _storage):
        wanted = storages[key]
        count = int.from_bytes(file.read(8), "little", signed=True)
        if count != wanted.count:
            raise ValueError(f"storage {key} has {count} elements, not {wanted.count}")
        content = file.read(count * wanted.dtype.itemsize)
        if len(content) != count * wanted.dtype.itemsize:
            raise ValueError(f"storage {key} ends early")
        elements[key] = np.frombuffer(content, wanted.dtype)
    if file.read(1):
        raise ValueError("there is data after its last storage")
    return _with_values(found, lambda storage: elements[storage.key])


def _storage(identity: Any) -> _Storage:
    """Return the storage for a persistent id of ``torch.save``."""
    kind, storage, key, _, count = identity
    if kind != "storage" or not isinstance(storage, np.dtype):
        raise ValueError(f"{kind} of an unknown type")
    if not isinstance(key, str) or not isinstance(count, int) or count < 0:
        raise ValueError(f"a storage {key!r} of {count!r} elements")
    return _Storage(key, storage, count)


def _call(name: str) -> Call | np.dtype[Any]:
    """Return what to use for a global of a pickle.  Raises :class:`RefusedError` for one that is not supported."""
    module, _, last = name.rpartition(".")
    if module in ("torch", "torch.cuda") and last in STORAGES:
        return STORAGES[last]
    if name in _CALLS:
        return _CALLS[name]
    raise RefusedError(name)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(type(number) is int for number in numbers):
        raise ValueError("a tensor without a storage, or with sizes that are not integers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _dictionary(pairs: Any = ()) -> dict[Any, Any]:
    return dict(pairs)


_CALLS: Mapping[str, Call] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch.nn.parameter.Parameter": lambda data, *_: data,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda *_: {},
    "datetime.datetime": lambda *_: None,
    "_codecs.encode": lambda text, *_: text,
}
"""What is used for the globals that files of tensors name.  Dates are dropped, since no network needs them."""


def _with_values(value: Any, read: Read) -> Any:
    """Return a container with its tensors replaced by their values."""
    if isinstance(value, _Tensor):
        return value.values(read)
    if isinstance(value, dict):
        return {key: _with_values(inner, read) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_values(inner, read) for inner in value]
    return value


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested dictionaries with their keys joined by dots."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
