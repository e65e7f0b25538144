"""The layouts of the published data sets of optical flow, one function each."""

from __future__ import annotations

from pathlib import Path

from vs_interp.errors import DatasetError

from .flow_files import PicturesWithFlow
from .footage import Footage
from .listing import folder, subfolders, whole
from .pictures import Clip, list_pictures


def middlebury_flow(root: Path, split: str) -> Footage:
    """Middlebury: ``other-data/<scene>/frame10.png``, ``frame11.png``, ``other-gt-flow/<scene>/flow10.flo``.

    Scenes without true flow are left out; all splits are the same.
    """
    scenes = subfolders(root / "other-gt-flow", "the scenes' flow10.flo")
    files = "other-data/{}/frame10.png", "other-data/{}/frame11.png"
    clips = [Clip(scene, tuple(file.format(scene) for file in files), "") for scene in scenes]
    return PicturesWithFlow(root, clips, [(f"other-gt-flow/{scene}/flow10.flo",) for scene in scenes])


def sintel(root: Path, split: str) -> Footage:
    """MPI Sintel, final pass: ``training/final/<scene>/frame_0001.png``, ``training/flow/<scene>/frame_0001.flo``.

    All splits are the same, since the true flow of its test part is not published.
    """
    return _sintel(root, "final")


def sintel_clean(root: Path, split: str) -> Footage:
    """MPI Sintel, clean pass: ``training/clean/<scene>/frame_0001.png``; otherwise like :func:`sintel`."""
    return _sintel(root, "clean")


def _sintel(root: Path, kind: str) -> Footage:
    scenes = subfolders(root / "training" / kind, f"Sintel's scenes (training/{kind}/<scene>/*.png)")
    clips = [Clip(scene, list_pictures(root / "training" / kind / scene)) for scene in scenes]
    flows = [[f"../flow/{clip.name}/{Path(file).stem}.flo" for file in clip.files[:-1]] for clip in clips]
    return PicturesWithFlow(root / "training" / kind, whole(root / "training" / kind, clips), flows)


def flying_chairs(root: Path, split: str) -> Footage:
    """FlyingChairs: ``data/00001_img1.ppm``, ``00001_img2.ppm``, ``00001_flow.flo``; all splits are the same."""
    folder(root / "data", "00001_flow.flo and its pictures")
    names = sorted(path.name.removesuffix("_flow.flo") for path in (root / "data").glob("*_flow.flo"))
    if not names:
        raise DatasetError(f"{root / 'data'} holds no *_flow.flo: unpack FlyingChairs there")
    clips = [Clip(name, (f"{name}_img1.ppm", f"{name}_img2.ppm"), "") for name in names]
    return PicturesWithFlow(root / "data", clips, [(f"{name}_flow.flo",) for name in names])
