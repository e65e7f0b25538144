"""The wheel and the source distribution of this checkout, built as pip builds them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .support import ROOT

LEFT_OUT = ("build", "dist", "*.egg-info", "__pycache__", "demo-output", "runs", ".*")


def build(kind: str, folder: Path) -> Path:
    """Build ``"wheel"`` or ``"sdist"`` of a copy of the checkout, and return the file."""
    copy = folder / "checkout"
    if not copy.is_dir():
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for name in (".ci", ".python-version"):
            here = ROOT / name
            if here.is_dir():
                shutil.copytree(here, copy / name)
            elif here.is_file():
                shutil.copy(here, copy / name)
    code = f"from setuptools import build_meta\nprint(build_meta.build_{kind}({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]
