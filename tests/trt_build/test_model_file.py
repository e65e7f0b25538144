"""The checksum of model files: a changed byte is an error, and not a picture."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest

from tests.support import ROOT
from trt_build.model_file import CHECKSUM_KEY, ModelFile, to_bytes, write
from vs_interp.errors import ModelFileError

SMALL = ROOT / "vs_interp/models/fsrcnn-x2.onnx"


def without_checksum(graph: onnx.ModelProto) -> bytes:
    """Return the content of a model file as other programs write it."""
    kept = [entry for entry in graph.metadata_props if entry.key != CHECKSUM_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    content: bytes = graph.SerializeToString()
    return content


def test_a_file_with_its_checksum_is_the_same_graph(tmp_path: Path) -> None:
    """To us and to every other reader of ONNX; written again it has one checksum, the new one."""
    model = ModelFile.load(SMALL)
    write(model.graph, tmp_path / "small.onnx")
    again = ModelFile.load(tmp_path / "small.onnx")
    assert again.spec == model.spec
    assert again.graph.graph == model.graph.graph
    onnx.checker.check_model(str(tmp_path / "small.onnx"), full_check=True)
    write(again.graph, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "small.onnx").read_bytes()
    keys = [entry.key for entry in ModelFile.load(tmp_path / "again.onnx").graph.metadata_props]
    assert keys.count(CHECKSUM_KEY) == 1


def test_changed_bytes_are_an_error_or_change_nothing() -> None:
    """Three hundred files with one byte changed: what loads has the graph that it had."""
    content, random_ = to_bytes(ModelFile.load(SMALL).graph), random.Random(2)
    graph = ModelFile.from_bytes(content).graph.graph
    loaded = 0
    for _ in range(300):
        changed = bytearray(content)
        place = random_.randrange(len(changed))
        changed[place] ^= 1 << random_.randrange(8)
        try:
            assert ModelFile.from_bytes(bytes(changed)).graph.graph == graph
            loaded += 1
        except ModelFileError:
            continue
    assert loaded < 5


@pytest.mark.parametrize("kept", [0, 20, 5_000, -1])
def test_a_truncated_file_is_an_error(kept: int) -> None:
    with pytest.raises(ModelFileError):
        ModelFile.from_bytes(to_bytes(ModelFile.load(SMALL).graph)[:kept])


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"Conv", "this is not an ONNX file, or it is truncated"), (b'"window"', "its spec cannot be read")],
)
def test_text_that_cannot_be_decoded_is_an_error(text: bytes, message: str) -> None:
    """The checker of a file without a checksum quotes the text, and fails on it; a broken spec arrives as bytes."""
    content = without_checksum(ModelFile.load(SMALL).graph)
    with pytest.raises(ModelFileError, match=rf"{message} \('utf-8' codec"):
        ModelFile.from_bytes(content.replace(text, text[:2] + b"\xff\xfe" + text[4:]))


def test_a_file_of_others_needs_no_checksum() -> None:
    content = without_checksum(ModelFile.load(SMALL).graph)
    assert CHECKSUM_KEY.encode() not in content
    assert ModelFile.from_bytes(content).spec.name == "fsrcnn"
