"""What options were called before: they work as they did, with a line that says the new name."""

from __future__ import annotations

from collections.abc import Sequence

from vs_interp.arguments import warn_renamed

OPTIONS = {
    "convert": {"--upscale": "--scale", "--upscale-model": "--scale-model"},
    "engines": {"-o": "--folder"},
}
"""Command → what its options were called → what they are called."""

REPORTING = {"bench", "evaluate"}
"""Commands whose ``--json`` took a file's name, or ``-`` for standard output."""


def modern(arguments: Sequence[str]) -> list[str]:
    """Return a command line in today's words, and say which of its words were old ones."""
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
