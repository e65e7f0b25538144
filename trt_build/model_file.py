"""The model file, an FP32 ONNX graph that carries its spec as metadata: reading, checking, splitting and writing it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.utils import Extractor

from vs_interp.errors import ArgumentError, ModelFileError
from vs_interp.files import write_whole
from vs_interp.spec import NetworkSpec

SPEC_KEY = "vs-interp"
"""The metadata entry that holds the spec."""

PREFIX = "network."
"""Prefix of the names of the initialisers that hold a network's weights."""

WEIGHTS_KEY = "weights"
"""The metadata entry that lists, as JSON, the initialisers that hold weights under a name the exporter made up."""

CHECKSUM_KEY = "vs-interp-sha256"
"""The last metadata entry, at the very end of the file: the SHA-256 of all bytes before it.

Concatenated protobuf messages are read as one, so the entry is simply appended as a message of its own.
"""


@dataclass(frozen=True)
class ModelFile:
    """A checked model: its graph, its spec, and the SHA-256 of the bytes it was read from.

    A file written by :func:`write` is refused if any byte of it has changed; files from elsewhere have no checksum.
    """

    graph: onnx.ModelProto
    spec: NetworkSpec
    digest: str

    @cached_property
    def identity(self) -> str:
        """A hash that equal graphs with equal specs share, see :func:`graph_digest`."""
        return graph_digest(self.graph)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ModelFile:
        """Read a model file.  Raises :class:`ModelFileError` if it is missing, damaged or has no spec."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelFileError(f"cannot read the model file {path}: {error.strerror}") from error
        try:
            return cls.from_bytes(content)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from error

    @classmethod
    def from_bytes(cls, content: bytes) -> ModelFile:
        """Like :meth:`load`, but from the content of a file."""
        digest = _digest(content)
        try:
            graph = onnx.load_model_from_string(content)
            onnx.checker.check_model(content)
        except (DecodeError, onnx.checker.ValidationError, UnicodeDecodeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelFileError(
                f"this is not an ONNX file, or it is truncated ({reason}): export or fetch it again"
            ) from error
        metadata = {entry.key: entry.value for entry in graph.metadata_props}
        if SPEC_KEY not in metadata:
            raise ModelFileError(
                "this ONNX file has no vs-interp spec: make it with `vs-interp export CHECKPOINT -o MODEL`"
            )
        spec = NetworkSpec.from_json(metadata[SPEC_KEY])
        _check_names(graph, spec)
        return cls(graph, spec, digest)

    def with_updates(self, count: int) -> ModelFile:
        """Return the model cut off after ``count`` refinements of its output (RAFT's updates).

        Raises :class:`ArgumentError` if the file has fewer, or if the network does not refine its output.
        """
        most = self.spec.updates
        if not most:
            raise ArgumentError(f"updates is {count}, and {self.spec.name} refines nothing: omit updates")
        if not 1 <= count <= most:
            raise ArgumentError(
                f"updates is {count}, and the model refines its output 1 to {most} times: ask for as many, or export "
                "the model with more"
            )
        if count == most:
            return self
        inputs = [value.name for value in self.graph.graph.input]
        last = f"output_{count}"
        graph = Extractor(onnx.shape_inference.infer_shapes(self.graph)).extract_model(inputs, [last])
        for names in (*(node.output for node in graph.graph.node), *(node.input for node in graph.graph.node)):
            names[:] = ["output" if name == last else name for name in names]
        graph.graph.output[0].name = "output"
        spec = replace(self.spec, updates=count)
        digest = hashlib.sha256(f"{self.digest} {count}".encode()).hexdigest()
        return ModelFile(with_spec(graph, spec), spec, digest)

    def split(self) -> tuple[onnx.ModelProto | None, onnx.ModelProto]:
        """Return the state graph (``None`` if the spec names no state) and the synthesis graph.

        The first computes the state tensors from the frames, once a window.  The second computes the outputs, once for
        every time, from the state tensors and whichever inputs it still needs.
        """
        if not self.spec.state:
            return None, self.graph
        extractor = Extractor(onnx.shape_inference.infer_shapes(self.graph))
        inputs = [value.name for value in self.graph.graph.input]
        outputs = [value.name for value in self.graph.graph.output]
        state = list(self.spec.state)
        return _without_unused(extractor.extract_model(inputs, state)), _without_unused(
            extractor.extract_model([*inputs, *state], outputs)
        )


def graph_digest(model: onnx.ModelProto) -> str:
    """Return the SHA-256 of what a graph computes and of its spec, ignoring its producer, version and comments."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        bare.ClearField(name)
    del bare.graph.value_info[:]
    for part in (bare.graph, *bare.graph.node, *bare.graph.initializer, *bare.graph.input, *bare.graph.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    kept = [entry for entry in bare.metadata_props if entry.key == SPEC_KEY]
    del bare.metadata_props[:]
    bare.metadata_props.extend(kept)
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def with_spec(graph: onnx.ModelProto, spec: NetworkSpec) -> onnx.ModelProto:
    """Return a copy of the graph that carries the spec."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    kept = [entry for entry in copy.metadata_props if entry.key != SPEC_KEY]
    del copy.metadata_props[:]
    copy.metadata_props.extend([*kept, onnx.StringStringEntryProto(key=SPEC_KEY, value=spec.to_json())])
    return copy


def part_name(parameter: str, first: int, end: int) -> str:
    """Return the name of the initialiser that holds input channels ``first`` … ``end`` − 1 of a parameter."""
    return f"{PREFIX}{parameter}[:, {first}:{end}]"


def to_bytes(graph: onnx.ModelProto) -> bytes:
    """Return the content of a graph's model file: the serialised graph, then its checksum."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    kept = [entry for entry in copy.metadata_props if entry.key != CHECKSUM_KEY]
    del copy.metadata_props[:]
    copy.metadata_props.extend(kept)
    content: bytes = copy.SerializeToString(deterministic=True)
    return content + _checksum(hashlib.sha256(content).hexdigest())


def _checksum(digest: str) -> bytes:
    entry = onnx.StringStringEntryProto(key=CHECKSUM_KEY, value=digest)
    message: bytes = onnx.ModelProto(metadata_props=[entry]).SerializeToString(deterministic=True)
    return message


def _digest(content: bytes) -> str:
    """Return the SHA-256 of a whole file.  Raises :class:`ModelFileError` if it does not match its own checksum."""
    form = _checksum("0" * 64)
    place = max(len(content) - len(form), 0)
    whole = hashlib.sha256(memoryview(content)[:place])
    if content[place:-64] == form[:-64] and content[place:] != _checksum(whole.hexdigest()):
        raise ModelFileError("it is damaged (its checksum differs): export or fetch it again")
    whole.update(memoryview(content)[place:])
    return whole.hexdigest()


def write(graph: onnx.ModelProto, path: Path) -> None:
    """Write the graph and its checksum; the file gets its final name only once it is complete."""
    try:
        write_whole(path, to_bytes(graph))
    except OSError as error:
        raise ModelFileError(f"cannot write {path}: {error.strerror}") from error


def _without_unused(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the graph's inputs that no node reads, and return the graph."""
    read = {name for node in graph.graph.node for name in node.input}
    for value in [value for value in graph.graph.input if value.name not in read]:
        graph.graph.input.remove(value)
    return graph


def _check_names(graph: onnx.ModelProto, spec: NetworkSpec) -> None:
    inputs = tuple(value.name for value in graph.graph.input)
    outputs = tuple(value.name for value in graph.graph.output)
    if inputs != spec.inputs:
        raise ModelFileError(f"its inputs are {inputs} where its window needs {spec.inputs}: export the model again")
    if outputs != ("output",):
        raise ModelFileError(f"its outputs are {outputs} where ('output',) is expected: export the model again")
    made = {name for node in graph.graph.node for name in node.output}
    inner = (*spec.state, *(f"output_{number}" for number in range(1, spec.updates)))
    missing = [name for name in inner if name not in made]
    if missing:
        raise ModelFileError(f"its inner tensors {', '.join(missing[:3])} are not in the graph: export the model again")
