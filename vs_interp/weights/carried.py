"""Model files that travel with engines: found by what they are, and put where filters find them."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock

from trt_build.model_file import ModelFile
from vs_interp.errors import ArgumentError, DownloadError, ModelFileError
from vs_interp.files import write_whole
from vs_interp.folders import cache_folder

from .catalogue import Weights, catalogue
from .obtain import is_good
from .skeletons import weights_digest


def weights_of(identity: str, network: str) -> Weights | None:
    """Return the weights of a network, here, whose model file is the one that an engine was made of."""
    known = (entry for entry in catalogue().values() if entry.network == network and entry.here)
    return next((entry for entry in known if _identity(entry.model_file) == identity), None)


def is_here(identity: str, network: str) -> bool:
    """Return whether a model is here, by a name of the catalogue or as one that was carried."""
    own = cache_folder("models").glob("*.onnx")
    return weights_of(identity, network) is not None or any(_identity(path) == identity for path in own)


def put_in_place(name: str, model: ModelFile, content: bytes) -> Path:
    """Put a model file where its name is understood, or else into the folder ``models`` of the cache; return where.

    ``name`` is that of a file without folders.  A name of the catalogue is understood where the weights are those of
    the catalogue.  A file that is there already and is the same stays.  Raises :class:`ArgumentError` where it is
    another, :class:`DownloadError` for weights that go by a name of the catalogue and are others, :class:`OSError`.
    """
    entry = catalogue().get(name.removesuffix(".onnx"))
    if entry is None or entry.bundled or not entry.weights:
        return _keep(cache_folder("models") / name, content)
    if weights_digest(model.graph) != entry.weights:
        raise DownloadError(f"{name} is not {entry.name}: its weights are others than those of the catalogue")
    entry.model_file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder("weights") / f"{entry.name}.lock"):
        if not is_good(entry):
            sources = {file.name: file.sha256 for file in entry.files}
            record = {"sha256": model.digest, "sources": sources, "licence": entry.licence}
            write_whole(entry.model_file, content)
            write_whole(entry.record, json.dumps(record, indent=1).encode())
    return entry.model_file


def _identity(path: Path) -> str | None:
    """Return what a model file is; ``None`` for a damaged one."""
    try:
        return ModelFile.load(path).identity
    except ModelFileError:
        return None


def _keep(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if path.read_bytes() != content:
            raise ArgumentError(f"{path} is another model than the one that came: move it away")
        return path
    write_whole(path, content)
    return path
