"""The command line, run in this process as a person's words would run it, and what it must say of bad input."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from vs_interp.cli.main import main

COMMAND = [sys.executable, "-c", "from vs_interp.cli.main import main; main()"]
"""What starts the command line in a process of its own."""


def run(*arguments: str | Path) -> int:
    """Run the command line, take its handler of SIGTERM away again, and return its exit code."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
    finally:
        signal.signal(signal.SIGTERM, before)
    return int(ended.value.code or 0)


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """Return the one line on standard error after exit code 2."""
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert re.fullmatch(r"vs-interp: [^\n]+\n", err), err
    return err
