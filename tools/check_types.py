"""Run mypy on all packages at once, with the folder ``filters`` as ``vs_interp.filters``, as setuptools installs it.

    python -m tools.check_types

Plain ``mypy`` would take ``filters`` for a separate package, and not check the calls from the others.
"""

from __future__ import annotations

import sys

from mypy.build import build
from mypy.main import process_options


def main() -> int:
    """Return 0 if mypy finds no errors, otherwise 1."""
    sources, options = process_options(["--config-file", "pyproject.toml"])
    for source in sources:
        if source.module.split(".")[0] == "filters":
            source.module = f"vs_interp.{source.module}"
    errors: list[str] = []
    build(sources, options, flush_errors=lambda filename, messages, is_serious: errors.extend(messages))
    print(*errors, sep="\n", end="\n" if errors else "")
    print("types: fix these lines" if errors else f"types: {len(sources)} files are fine", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
