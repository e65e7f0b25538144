"""One word for one thing on the command line, old words with a line that says the new one, and completion."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import click
import pytest

from tests.command_line import COMMAND, run
from vs_interp.cli.main import COMMANDS, group
from vs_interp.cli.old_spellings import modern
from vs_interp.log import logger, speak


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "convert a b --upscale 2 --upscale-model=x",
            "convert a b --scale 2 --scale-model=x",
            ["--scale", "--scale-model"],
        ),
        ("bench --json figures.json", "bench --report figures.json", ["--report FILE"]),
        ("evaluate m d --json -", "evaluate m d --report -", ["--report FILE"]),
        ("evaluate --json model data", "evaluate --json model data", []),
        ("engines list -o folder", "engines list --folder folder", ["--folder"]),
        ("build m -o folder", "build m -o folder", []),
    ],
)
def test_old_words_are_understood(capsys: pytest.CaptureFixture[str], old: str, new: str, said: list[str]) -> None:
    assert modern(old.split()) == new.split()
    lines = capsys.readouterr().err.splitlines()
    announced = [line.split(" is now called ")[1] for line in lines]
    assert announced == [f"{name}: the old name will be removed" for name in said]


def options(command: click.Command) -> dict[str, click.Option]:
    return {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        inner = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        found += [(f"{name} {below}".strip(), each) for below, each in inner]
    return found


@pytest.mark.parametrize(("name", "command"), commands())
def test_options_of_one_name_are_alike_in_all_commands(name: str, command: click.Command) -> None:
    """--json is a flag, --report takes a file, --output has -o, --quiet has -q."""
    known = options(command)
    assert "--json" not in known or known["--json"].is_flag
    assert "--report" not in known or not known["--report"].is_flag
    for short, long in (("-o", "--output"), ("-q", "--quiet")):
        assert known.get(short) is known.get(long), name


def test_quiet_means_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        speak(quiet=True)
        logger.warning("a warning")
        assert capsys.readouterr().err == ""
        speak()
        logger.info("how far it is")
        assert capsys.readouterr().err == "vs-interp: how far it is\n"
    finally:
        logger.setLevel("NOTSET")


def test_the_scene_threshold_is_none_or_off(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for word, lines in (("none", 2), ("off", 3)):
        assert run("convert", tmp_path / "a.mkv", tmp_path / "b.mkv", "--scale", "2", "--scene-threshold", word) == 2
        assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("vs-interp weights get rife-4.2", "rife-4.25"),
        ("vs-interp bench fsr", "fsrcnn-x2"),
        ("vs-interp eng", "engines"),
    ],
)
def test_the_shell_completes_commands_and_weights(words: str, completed: str) -> None:
    environment = {**os.environ, "_VS_INTERP_COMPLETE": "bash_complete", "COMP_WORDS": words,
                   "COMP_CWORD": str(len(words.split()) - 1)}  # fmt: skip
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert f"plain,{completed}" in done.stdout.splitlines(), done.stderr


def test_json_is_one_value_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("weights", "list"), ("weights", "verify", "fsrcnn-x2"), ("engines", "list"), ("doctor",)):
        run(*arguments, "--json")
        json.loads(capsys.readouterr().out)
