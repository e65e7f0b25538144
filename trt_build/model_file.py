"""The model file: one ONNX graph in FP32 that carries its spec, read, checked, split and written."""

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
"""What the names of initialisers that are a network's weights begin with."""

WEIGHTS_KEY = "weights"
"""The metadata entry that says, as JSON, which initialisers hold the weights that have no name of their own."""

CHECKSUM_KEY = "vs-interp-sha256"
"""The last metadata entry, and the last of the file: the SHA-256 of all bytes before it.

Fields of a protobuf message may come in pieces, so that the entry is a message of its own behind the graph's.
"""


@dataclass(frozen=True)
class ModelFile:
    """A checked model: its graph, its spec, and the SHA-256 of the bytes it was read from.

    Files that :func:`write` wrote are refused where a byte of them was changed; those of others have no checksum.
    """

    graph: onnx.ModelProto
    spec: NetworkSpec
    digest: str

    @cached_property
    def identity(self) -> str:
        """What equal graphs with equal specs share, see :func:`graph_digest`."""
        return graph_digest(self.graph)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ModelFile:
        """Read a model file.  Raises :class:`ModelFileError` where it is missing, broken or without a spec."""
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
        """Like :meth:`load`, from the bytes of a file."""
        digest = _digest(content)
        try:
            graph = onnx.load_model_from_string(content)
            onnx.checker.check_model(content)
        except (DecodeError, onnx.checker.ValidationError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelFileError(
                f"this is no ONNX file, or a truncated one ({reason}): export or fetch it again"
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
        """Return the model that refines its output so many times, at most as often as the file does.

        Raises :class:`ArgumentError` for more, and for a network that does not refine its output.
        """
        most = self.spec.updates
        if not 1 <= count <= most:
            can = f"the model refines its output 1 to {most} times" if most else f"{self.spec.name} refines nothing"
            raise ArgumentError(f"updates is {count}, and {can}: ask for as many, or export the model with more")
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
        """Return the graph up to the state (``None`` without one) and the graph from there to the output.

        The first takes the frames and gives the state tensors; the second takes the inputs and the state tensors that
        it still needs, and gives the outputs.
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
    """Return the SHA-256 of what a graph does: who wrote it, when and with what words does not count."""
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
    """Return what the initialiser is called that holds the inputs ``first`` … ``end`` − 1 of a parameter."""
    return f"{PREFIX}{parameter}[:, {first}:{end}]"


def to_bytes(graph: onnx.ModelProto) -> bytes:
    """Return the file of a graph: its bytes, and behind them their checksum."""
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
    """Return the SHA-256 of a file, read once.  Raises :class:`ModelFileError` where its checksum says otherwise."""
    form = _checksum("0" * 64)
    place = max(len(content) - len(form), 0)
    whole = hashlib.sha256(memoryview(content)[:place])
    if content[place:-64] == form[:-64] and content[place:] != _checksum(whole.hexdigest()):
        raise ModelFileError("it is damaged (its checksum differs): export or fetch it again")
    whole.update(memoryview(content)[place:])
    return whole.hexdigest()


def write(graph: onnx.ModelProto, path: Path) -> None:
    """Write the graph and its checksum under its final name only once it is whole."""
    try:
        write_whole(path, to_bytes(graph))
    except OSError as error:
        raise ModelFileError(f"cannot write {path}: {error.strerror}") from error


def _without_unused(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the inputs that no node reads."""
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
