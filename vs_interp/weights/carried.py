"""Model files that are exported and imported with engines: found by their identity, stored where filters look."""

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
    """Return the catalogue entry whose model file, on this machine, has this identity; ``None`` if there is none."""
    known = (entry for entry in catalogue().values() if entry.network == network and entry.here)
    return next((entry for entry in known if _identity(entry.model_file) == identity), None)


def is_here(identity: str, network: str) -> bool:
    """Whether a model is on this machine, in the catalogue or imported."""
    imported = cache_folder("models").glob("*.onnx")
    return weights_of(identity, network) is not None or any(_identity(path) == identity for path in imported)


def put_in_place(name: str, model: ModelFile, content: bytes) -> Path:
    """Store an imported model file and return its path.

    Weights of the catalogue are stored where their name is resolved, others in the folder ``models`` of the cache.
    ``name`` is a file name without folders.  Raises :class:`ArgumentError` if another file of that name exists there,
    :class:`DownloadError` for weights that differ from those of that name in the catalogue, :class:`OSError`.
    """
    entry = catalogue().get(name.removesuffix(".onnx"))
    if entry is None or entry.bundled or not entry.weights:
        return _keep(cache_folder("models") / name, content)
    if weights_digest(model.graph) != entry.weights:
        raise DownloadError(f"{name} is not {entry.name}: its weights differ from those of the catalogue")
    entry.model_file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder("weights") / f"{entry.name}.lock"):
        if not is_good(entry):
            sources = {file.name: file.sha256 for file in entry.files}
            record = {"sha256": model.digest, "sources": sources, "licence": entry.licence}
            write_whole(entry.model_file, content)
            write_whole(entry.record, json.dumps(record, indent=1).encode())
    return entry.model_file


def _identity(path: Path) -> str | None:
    """Return the identity of a model file; ``None`` if it is damaged."""
    try:
        return ModelFile.load(path).identity
    except ModelFileError:
        return None


def _keep(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if path.read_bytes() != content:
            raise ArgumentError(f"{path} is another model than the imported one: move it away")
        return path
    write_whole(path, content)
    return path
