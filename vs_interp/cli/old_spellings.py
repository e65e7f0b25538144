"""Old names of options: they still work, with a warning that gives the new name."""

from __future__ import annotations

from collections.abc import Sequence

from vs_interp.arguments import warn_renamed

OPTIONS = {
    "convert": {"--upscale": "--scale", "--upscale-model": "--scale-model"},
    "engines": {"-o": "--folder"},
}
"""Command → old name of an option → new name."""

REPORTING = {"bench", "evaluate"}
"""Commands whose ``--json`` once took a file name, or ``-`` for standard output."""


def modern(arguments: Sequence[str]) -> list[str]:
    """Return a command line with old option names replaced, and warn of each."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    names = OPTIONS.get(command, {})
    words: list[str] = []
    for place, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        if option in names:
            warn_renamed(option, names[option])
            words.append(names[option] + equals + value)
        elif option == "--json" and command in REPORTING and (equals or _is_file(arguments[place + 1 :])):
            warn_renamed("--json FILE", "--report FILE")
            words.append(f"--report{equals}{value}")
        else:
            words.append(word)
    return words


def _is_file(following: Sequence[str]) -> bool:
    return bool(following) and (following[0] == "-" or following[0].endswith(".json"))
