"""Files that are being written have a name of their own, however long and odd the output's is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import names
from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.films.unfinished import finished_as


@pytest.mark.parametrize(
    "name", ["a" * 251 + ".mkv", "ä" * 125 + ".mkv", "[a]*?.mp4", b"\xff\xfe.mkv".decode("utf-8", "surrogateescape")]
)
def test_any_name_that_a_file_may_have(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    with finished_as(output, overwrite=False) as unfinished:
        assert unfinished.suffix == output.suffix
    assert names(tmp_path) == [name]
    output.unlink()
    with pytest.raises(ArgumentError, match="exists"), finished_as(output, overwrite=False):
        output.write_text("another's")
    assert (names(tmp_path), output.read_text()) == ([name], "another's")


def test_nothing_is_removed_that_only_looks_alike(tmp_path: Path) -> None:
    for like in (".out.b.12.partial.mkv", ".out.12.partial.mp4", ".outer.12.partial.mkv"):
        (tmp_path / like).touch()
    abandoned = tmp_path / ".out.12.partial.mkv"
    abandoned.touch()
    before = names(tmp_path)
    with finished_as(tmp_path / "out.mkv", overwrite=False):
        assert not abandoned.exists()
    assert names(tmp_path) == sorted({*before, "out.mkv"} - {abandoned.name})


def test_a_name_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for output, told in ((tmp_path / ("a" * 300 + ".mkv"), "too long"), (tmp_path / "none" / "a.mkv", "No such file")):
        with pytest.raises(EncoderError, match=told), finished_as(output, overwrite=False):
            raise AssertionError("nothing is to be written")
