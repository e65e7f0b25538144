"""Where vs-interp keeps downloads, engines and indexes: in the user's cache folder, or in ``VS_INTERP_CACHE``."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "VS_INTERP_CACHE"


def cache_folder(part: str) -> Path:
    """Return the folder for one kind of files (``"weights"``, ``"engines"``, …), which may not exist yet."""
    named = os.environ.get(VARIABLE)
    if named:
        root = Path(named).expanduser()
    else:
        import platformdirs

        root = platformdirs.user_cache_path("vs-interp", appauthor=False)
    return root / part
