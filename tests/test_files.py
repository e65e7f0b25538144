"""Files that appear only once they are complete: an error names the file that was asked for, and loses nothing else."""

from __future__ import annotations

import errno
from contextlib import nullcontext
from pathlib import Path

import av.error
import pytest

from tests.support import names
from vs_interp.files import appearing_whole, folder_appearing_whole, write_whole


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "result.json"
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(path, b"{}")
    assert caught.value.filename == str(path) and caught.value.errno == errno.ENOENT


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("the archive is damaged"), "the archive is damaged"),
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device: '{path}'"),
        (av.error.OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device: '{path}'"),
        (FileNotFoundError(errno.ENOENT, "No such file", "other.mkv"), "[Errno 2] No such file: 'other.mkv'"),
    ],
)
def test_an_error_while_writing_keeps_its_words(tmp_path: Path, error: OSError, told: str) -> None:
    """Of text alone, of PyAV, whose errors cannot be changed, and of another file; nothing half-written stays."""
    path = tmp_path / "result.bin"
    with pytest.raises(OSError) as caught, appearing_whole(path) as unfinished:
        unfinished.write_bytes(b"half")
        raise error
    assert str(caught.value) == told.format(path=path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("there", [None, [], ["kept"]])
def test_a_folder_takes_the_place_of_an_empty_one_alone(
    there: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on Windows, where nothing is renamed onto a folder."""
    genuine, folder = Path.rename, tmp_path / "made"

    def as_on_windows(path: Path, target: Path) -> Path:
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(target))
        return genuine(path, target)

    monkeypatch.setattr(Path, "rename", as_on_windows)
    for name in there or []:
        (folder / name).mkdir(parents=True)
    if there == []:
        folder.mkdir()
    with pytest.raises(OSError) if there else nullcontext(), folder_appearing_whole(folder) as unfinished:
        (unfinished / "new").touch()
    assert names(tmp_path) == ["made"]
    assert names(folder) == (there or ["new"])
