"""Footage from ordinary files: a video file, a folder of pictures or videos, a folder of such folders."""

from __future__ import annotations

from pathlib import Path

from vs_interp.errors import DatasetError

from .flow_files import PicturesWithFlow
from .footage import Footage
from .pictures import Clip, Pictures, list_pictures
from .readers import LAYOUTS, open_footage

EXCERPTS, SECONDS = 10, 3.0
"""Number and length of the evenly spread excerpts that are used of a film longer than all of them together."""


def open_material(address: str, split: str, *, stills: bool) -> Footage:
    """Open a data set (``LAYOUT:PATH``), a video file, or a folder of pictures or videos.

    With ``stills`` each picture is a sequence of its own; otherwise those of a folder are consecutive frames.  If all
    pictures have ``.flo`` files of the same name beside them, these are the true flow.  Raises :class:`DatasetError` if
    the address is none of these, or cannot be read.
    """
    layout, colon, _ = address.partition(":")
    if colon and layout in LAYOUTS:
        return open_footage(address, split)
    path = Path(address)
    if path.is_dir():
        return _folder(path, stills=stills)
    if path.is_file():
        return _films(path)
    raise DatasetError(
        f"there is no {address}: name a video file, a folder of pictures, or a data set as LAYOUT:PATH, the layout one "
        f"of {', '.join(LAYOUTS)}"
    )


def _films(path: Path) -> Footage:
    """Return a video, or those of a folder; of long ones only excerpts."""
    from .video_footage import VideoFootage  # needs libav, which pictures do not

    return VideoFootage(path, excerpts=(EXCERPTS, SECONDS))


def _folder(root: Path, *, stills: bool) -> Footage:
    """Return the pictures of a folder, or those of its subfolders, or its videos."""
    folders = [root] if list_pictures(root) else sorted(path for path in root.iterdir() if path.is_dir())
    found = [(folder, files) for folder in folders if (files := list_pictures(folder))]
    if not found:
        return _films(root)
    if stills:
        return Pictures(root, [Clip(file, (file,), _below(root, folder)) for folder, files in found for file in files])
    clips = [Clip(folder.name, files, _below(root, folder)) for folder, files in found]
    flows = [[f"{_below(root, folder)}/{Path(file).stem}.flo" for file in files[:-1]] for folder, files in found]
    if all((root / name).is_file() for names in flows for name in names):
        return PicturesWithFlow(root, clips, flows)
    return Pictures(root, clips)


def _below(root: Path, folder: Path) -> str:
    return folder.relative_to(root).as_posix()
