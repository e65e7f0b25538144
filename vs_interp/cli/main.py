"""The command ``vs-interp``: a group that imports each command only when it is run."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence

import click

from vs_interp.errors import VsInterpError
from vs_interp.interrupt import ending_on_signals, interrupted
from vs_interp.log import speak

from .old_spellings import modern

COMMANDS = {
    "bench": "bench:command",
    "build": "build:command",
    "convert": "convert:command",
    "dataset": "dataset:command",
    "demo": "demo:command",
    "doctor": "doctor:command",
    "engines": "engines:command",
    "evaluate": "evaluate:command",
    "export": "export:command",
    "jobs": "jobs:command",
    "train": "train:command",
    "weights": "weights:command",
    "worker": "worker:command",
}
"""Name → ``module:command`` in ``vs_interp.cli``.

These modules import PyTorch, VapourSynth and the runtimes only inside functions, so that ``--help`` is fast."""

BAD_INPUT, INTERRUPTED = 2, 130
"""Exit codes; an unexpected error ends with a traceback and 1."""


class Commands(click.Group):
    """A group that finds its commands in :data:`COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(f".{module}", __package__), attribute)
        return found


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vs-interp", message="%(prog)s %(version)s")
def group() -> None:
    """Neural frame interpolation and upscaling for video files.

    \b
    Twice the frame rate:   vs-interp convert in.mkv out.mkv --interpolate super-slomo --factor 2
    Twice the size:         vs-interp convert in.mkv out.mkv --scale 2
    What works here:        vs-interp doctor
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: with 0, with 2 and one line for bad input, with 130 or 143 for a signal."""
    speak()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # LC_ALL=C and old code pages lack most letters
    with ending_on_signals():
        try:
            sys.exit(
                group.main(
                    modern(sys.argv[1:] if arguments is None else arguments),
                    prog_name="vs-interp",
                    standalone_mode=False,
                )
            )
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
        except click.ClickException as error:
            _print_error(f"{error.format_message().rstrip('.')} (see {_command_of(error)} --help)")
        except VsInterpError as error:
            _print_error(str(error))
        except OSError as error:  # a full disk, a folder without permission
            reason = error.strerror or str(error)
            _print_error(f"{error.filename}: {reason}" if error.filename else reason)
        except (KeyboardInterrupt, click.Abort):
            if not interrupted():  # not a signal: standard input ended at a question
                _print_error("interrupted, nothing was written")
            sys.exit(INTERRUPTED)
        sys.exit(BAD_INPUT)


def _print_error(message: str) -> None:
    click.echo(f"vs-interp: {' '.join(message.split())}", err=True)


def _command_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "vs-interp"
