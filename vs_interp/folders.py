"""Where vs-interp keeps what it made or fetched: one folder of the user's cache, or the one that a variable names."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "VS_INTERP_CACHE"


def cache_folder(part: str) -> Path:
    """Return the folder for one kind of files (``"weights"``, ``"engines"``, …); it need not exist yet.

    ``VS_INTERP_CACHE`` names another root than the user's cache folder.
    """
    named = os.environ.get(VARIABLE)
    if named:
        root = Path(named).expanduser()
    else:
        import platformdirs

        root = platformdirs.user_cache_path("vs-interp", appauthor=False)
    return root / part
