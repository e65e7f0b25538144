"""A worker, in a process of its own on this or another machine: opens the job's film and makes chunks."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trt_build.model_file import ModelFile
from vs_interp.errors import SourceError, VsInterpError

from .chunk import ChunkFolder, Record
from .conversion import Conversion, OpenConversion
from .here import Advance, make_chunks
from .maker import maker
from .plan import Manifest, content_of, versions
from .steps import without_gpus

TOKEN = "token"
"""A file in the job's folder, by whose content a worker recognises that it sees the same folder."""


class RefusedError(VsInterpError):
    """This worker cannot take part in a job."""


@dataclass(frozen=True)
class Order:
    """An order to make one chunk.

    manifest
        The job's manifest as JSON text.
    folder, token
        The job's folder, and the content of its token file: a worker that does not find it sends its chunk as bytes.
    paths
        Pairs of a path prefix here and the same folder on the workers' machines.
    maker
        What frames must be made with, see :func:`~vs_interp.jobs.maker.maker`; ``None`` for anything.
    """

    manifest: str
    number: int
    folder: str
    token: str
    paths: tuple[tuple[str, str], ...] = ()
    maker: str | None = None


@dataclass(frozen=True)
class Made:
    """A finished chunk; ``content`` holds its file if the worker could not write into the job's folder."""

    number: int
    record: Record
    content: bytes | None


_open: dict[str, OpenConversion] = {}
"""The job that this process works on, by name: its film stays open and its engine warm from chunk to chunk."""


def make(order: Order, advance: Advance) -> Made:
    """Make a chunk; ``advance`` is called after each frame.

    Raises :class:`RefusedError` if this worker cannot take part in the job, else what
    :func:`~vs_interp.jobs.here.make_chunks` raises.
    """
    manifest = Manifest.from_json(order.manifest, "the job")
    paths = dict(order.paths)
    conversion = _on_this_machine(manifest.conversion, paths)
    if manifest.name not in _open:
        _check(manifest, conversion)
    if order.maker is not None:
        _check_maker(order.maker, conversion)
    job = _opened(manifest.name, conversion)
    shared = _mapped(Path(order.folder), paths)
    if _sees(shared, order.token):
        ((number, record),) = make_chunks(job, ChunkFolder(shared), manifest.borders, [order.number], advance)
        return Made(number, record, None)
    with tempfile.TemporaryDirectory(prefix="vs-interp-") as folder:
        own = ChunkFolder(Path(folder))
        ((number, record),) = make_chunks(job, own, manifest.borders, [order.number], advance)
        return Made(number, record, own.film(number).read_bytes())


def _sees(folder: Path, token: str) -> bool:
    """Whether this is the job's folder and this worker may write into it."""
    try:
        return (folder / TOKEN).read_text(encoding="utf-8") == token and os.access(folder, os.W_OK)
    except OSError:
        return False


def _opened(name: str, conversion: Conversion) -> OpenConversion:
    """Return the job of that name, which is opened if this process has worked on another one so far."""
    if name not in _open:
        _open.clear()  # frees the memory of the last job's engines
        try:
            _open[name] = conversion.open()
        except VsInterpError as error:  # a codec, a runtime or memory is missing
            raise RefusedError(f"{platform.node()} cannot take part: {error}") from error
    return _open[name]


def _on_this_machine(conversion: Conversion, paths: Mapping[str, str]) -> Conversion:
    """Return a conversion with its paths mapped to this machine, and without GPU numbers of another."""
    steps = tuple(
        replace(step, model=None if step.model is None else str(_mapped(Path(step.model), paths)),
                backend=without_gpus(step.backend))
        for step in conversion.steps
    )  # fmt: skip
    return replace(conversion, source=_mapped(conversion.source, paths), steps=steps)


def _mapped(path: Path, paths: Mapping[str, str]) -> Path:
    """Return a path as it is on this machine, by the longest prefix in ``paths`` that matches."""
    for here in sorted(paths, key=len, reverse=True):
        if path.is_relative_to(here):
            return Path(paths[here]) / path.relative_to(here)
    return path


def _check(manifest: Manifest, conversion: Conversion) -> None:
    """Raise :class:`RefusedError` unless this machine has the same film, models and versions."""
    name, source = platform.node(), conversion.source
    wanted, own = manifest.identity["versions"], json.loads(json.dumps(versions()))
    others = [f"{package} {own.get(package)}, not {version}" for package, version in wanted.items()
              if own.get(package) != version]  # fmt: skip
    if others:
        raise RefusedError(f"{name} has {', '.join(others)}: install the same versions there")
    try:
        content = content_of(source)
    except (OSError, SourceError) as error:
        raise RefusedError(
            f"{name} does not see the source {source}: share its folder, or give --map /here=/there"
        ) from error
    if content != manifest.identity["source"]:
        raise RefusedError(f"{name} has another film under the name {source}: copy the right one, or give --map")
    for step in conversion.steps:
        try:
            digest = ModelFile.load(step.model_file).digest
        except VsInterpError as error:
            raise RefusedError(f"{name} lacks a model: {error}") from error
        if digest != manifest.identity["steps"][step.kind]["model"]:
            raise RefusedError(f"{name} has another model under the name {step.model or step.model_file}: copy this "
                               "machine's, or give --map")  # fmt: skip


def _check_maker(wanted: str, conversion: Conversion) -> None:
    """Raise :class:`RefusedError` unless this machine makes frames with the same.  Builds no engine."""
    try:
        own = maker(conversion)
    except VsInterpError as error:  # a runtime or a device is missing
        raise RefusedError(f"{platform.node()} cannot take part: {error}") from error
    if own != wanted:
        raise RefusedError(f"{platform.node()} works with {own}, not {wanted}: leave out --exact to admit it")
