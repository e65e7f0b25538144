"""Runs mypy over all rooms at once: the folder ``filters`` is ``vs_interp.filters``, as setuptools installs it.

    python -m tools.check_types

Plain ``mypy`` takes ``filters`` for a package of its own, and so sees nothing of it from the rooms that call it.
"""

from __future__ import annotations

import sys

from mypy.build import build
from mypy.main import process_options


def main() -> int:
    """Return 0 where all is well, 1 where mypy has something to say."""
    sources, options = process_options(["--config-file", "pyproject.toml"])
    for source in sources:
        if source.module.split(".")[0] == "filters":
            source.module = f"vs_interp.{source.module}"
    said: list[str] = []
    build(sources, options, flush_errors=lambda filename, messages, is_serious: said.extend(messages))
    print(*said, sep="\n", end="\n" if said else "")
    print("mend these lines" if said else f"{len(sources)} files are well typed", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
