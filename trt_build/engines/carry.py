"""Engines packed for another machine: a parcel, which is a zip file or a folder with checksums.

It holds ``DIGEST.engine`` and ``DIGEST.json`` as a cache does, the model files that the engines were built from unless
vs-interp brings them along, and ``SHA256SUMS``, a list of all these in the format of sha256sum.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.files import appearing_whole, folder_appearing_whole, write_whole

from .cache import EngineCache, Entry
from .engine import Engine
from .key import EngineKey

SUMS = "SHA256SUMS"
LARGEST = 8 * 2**30
"""Largest file in bytes that is read from a parcel."""

_NAME = re.compile(r"[0-9a-f]{64}\.(?:engine|json)|[A-Za-z0-9][\w.+-]{0,99}\.onnx", re.ASCII)
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")


class ParcelError(BackendError):
    """A parcel, or a file in it, that is damaged or cannot be trusted."""


def pack(entries: Iterable[Entry], models: Mapping[str, bytes], target: Path) -> None:
    """Write engines and model files to ``target``: a zip file if its name ends in ``.zip``, otherwise a new folder.

    ``models`` maps file names, such as ``rife-4.25.onnx``, to contents.  Raises :class:`ArgumentError` if the target
    exists, :class:`ParcelError` for an engine that is damaged or was never verified, and :class:`OSError` if the target
    cannot be written.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ArgumentError(f"{target} exists: name another file or folder")
    odd = [name for name in models if not _NAME.fullmatch(name)]
    if odd:
        raise ArgumentError(f"the model {odd[0]!r} cannot be packed under that name: use letters, digits, and . _ + -")
    target.parent.mkdir(parents=True, exist_ok=True)
    sums = []
    if target.suffix == ".zip":
        with appearing_whole(target) as unfinished, zipfile.ZipFile(unfinished, "w") as file:
            for name, content in _contents(entries, models):
                file.writestr(name, content)
                sums.append(_sum(name, content))
            file.writestr(SUMS, "".join(sums))
        return
    with folder_appearing_whole(target) as folder:
        for name, content in _contents(entries, models):
            write_whole(folder / name, content)
            sums.append(_sum(name, content))
        write_whole(folder / SUMS, "".join(sums).encode())


def unverified(about: Mapping[str, Any]) -> str | None:
    """Return why an engine does not count as verified, by its description; ``None`` if it does."""
    measured = [about.get("psnr"), *about.get("verified_on", {}).values()]
    scores = [score for each in measured if each is not None for score in each.values()]
    if all(each is None for each in measured):
        return "it was never measured against FP32"
    return None if all(map(math.isfinite, scores)) else "its scores are not finite numbers"


class Parcel:
    """Reads what :func:`pack` wrote: only files that the list of checksums names, and only if their hash is right.

    Raises :class:`ParcelError` if there is no such list, or if it names anything but engines and models.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir() and not zipfile.is_zipfile(path):
            what = "is not a zip file" if path.exists() else "does not exist"
            raise ParcelError(f"{path} {what}: give what `vs-interp engines export` wrote")
        try:
            lines = self._bytes(SUMS).decode().splitlines()
        except (KeyError, FileNotFoundError) as error:
            raise ParcelError(f"{path} holds no {SUMS}: make it with `vs-interp engines export`") from error
        except UnicodeDecodeError as error:
            raise ParcelError(f"the {SUMS} of {path} is damaged: copy it again") from error
        found = [_SUM.fullmatch(line) for line in lines]
        self._sums = {each[2]: each[1] for each in found if each is not None}
        odd = [line for line, each in zip(lines, found, strict=True) if each is None or not _NAME.fullmatch(each[2])]
        if odd or len(self._sums) < len(lines):
            line = (odd or lines)[0][:100]
            raise ParcelError(f"the {SUMS} of {path} is not a list of engines and models ({line!r})")

    @property
    def engines(self) -> list[str]:
        """The digests of the engines."""
        return [name.removesuffix(".engine") for name in self._sums if name.endswith(".engine")]

    @property
    def models(self) -> list[str]:
        """The names of the model files."""
        return [name for name in self._sums if name.endswith(".onnx")]

    def read(self, name: str) -> bytes:
        """Return the content of a file.  Raises :class:`ParcelError` if it is missing or is not what was packed."""
        if name not in self._sums:
            raise ParcelError(f"{name} is not in the list of what was packed")
        try:
            content = self._bytes(name)
        except (KeyError, FileNotFoundError) as error:
            raise ParcelError(f"{name} is missing: copy it again") from error
        if hashlib.sha256(content).hexdigest() != self._sums[name]:
            raise ParcelError(f"{name} is not what was packed (its SHA-256 differs): copy it again")
        return content

    def _bytes(self, name: str) -> bytes:
        """Return the content of a file.  Raises :class:`KeyError` or :class:`FileNotFoundError` if it is missing."""
        try:
            if self.path.is_dir():
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as file:
                if file.getinfo(name).file_size > LARGEST:
                    raise ParcelError(f"{name} is too large to be an engine or a model")
                return file.read(name)
        except FileNotFoundError:
            raise
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise ParcelError(f"{name} cannot be read ({error}): copy it again") from error


def unpack(parcel: Parcel, digest: str, cache: EngineCache) -> tuple[EngineKey, bool]:
    """Put an engine of a parcel into a cache; return its key, and whether it was missing there.

    Raises :class:`ParcelError` or :class:`EngineError` if it is damaged, has another key than its name says, or was
    never verified, and :class:`OSError` if the cache cannot be written.
    """
    content, described = parcel.read(f"{digest}.engine"), parcel.read(f"{digest}.json")
    try:
        about = json.loads(described)
        key = EngineKey.of(about["key"])
        kept = {name: about[name] for name in ("key", "built", "seconds", "plans", "psnr", "verified_on")}
        wrong = unverified(kept)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParcelError(f"its description cannot be read ({digest[:12]}.json)") from error
    if wrong is not None:
        raise ParcelError(f"{wrong}: run `vs-interp engines verify` on the machine that built it")
    engine = Engine.from_bytes(content)
    if key.digest != digest or engine.about != key.about():
        raise ParcelError("it is not what its name says")
    return key, cache.take(key, engine, kept)


def _contents(entries: Iterable[Entry], models: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for entry in entries:
        wrong = unverified(entry.about)
        if wrong is not None:
            raise ParcelError(f"the engine {entry.digest[:12]}: {wrong}")
        yield f"{entry.digest}.engine", entry.read().to_bytes()
        yield f"{entry.digest}.json", json.dumps(entry.about, indent=1).encode()
    yield from models.items()


def _sum(name: str, content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"
