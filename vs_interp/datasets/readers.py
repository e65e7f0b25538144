"""The layouts of the published data sets, one function each: where the frames lie, and which belong to a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from vs_interp.errors import DatasetError
from vs_interp.files import natural

from .chunked_footage import ChunkedFootage
from .drifting_clouds import DriftingClouds
from .flow_files import PicturesWithFlow
from .footage import Footage
from .moving_digits import MovingDigits
from .object_scenes import ObjectScenes, parse_size
from .pictures import Clip, Pictures, list_pictures

SPLITS = ("train", "validation", "test")

REDS4 = ("000", "011", "015", "020")
"""The clips of REDS's training part that are set aside for validation (Wang et al. 2019, EDVR)."""

FEWEST = 2
"""Frames that make a sequence."""


def vimeo_triplet(root: Path, split: str) -> Footage:
    """Vimeo-90K: ``tri_trainlist.txt``, ``tri_testlist.txt``, ``sequences/00001/0001/im1.png`` … ``im3.png``."""
    return _vimeo(root, "tri", split, 3)


def vimeo_septuplet(root: Path, split: str) -> Footage:
    """Vimeo-90K: ``sep_trainlist.txt``, ``sep_testlist.txt``, ``sequences/00001/0001/im1.png`` … ``im7.png``."""
    return _vimeo(root, "sep", split, 7)


def adobe240(root: Path, split: str) -> Footage:
    """Clips cut of fast video, as Super-SloMo is trained on: ``train/<n>/``, ``validation/<n>/``, ``test/<n>/``."""
    return _folders(root, split, "<n>")


def gopro(root: Path, split: str) -> Footage:
    """GoPro 240 fps (GOPRO_Large_all): ``train/<video>/*.png``, ``test/<video>/*.png``."""
    return _folders(root, "train" if split == "train" else "test", "<video>")


def reds(root: Path, split: str) -> Footage:
    """REDS: ``train_sharp/000/00000000.png``; small, where they are, ``train_sharp_bicubic/X4/000/00000000.png``.

    The clips of :data:`REDS4` are for validation and testing, all others for training.
    """
    sharp, bicubic = root / "train_sharp", root / "train_sharp_bicubic" / "X4"
    known = [name for name in _subfolders(sharp, "the clips 000 to 269") if (name in REDS4) == (split != "train")]
    if not known:
        wanted = "any clip of REDS4" if split != "train" else "a clip besides REDS4"
        raise DatasetError(f"{sharp} lacks {wanted} ({', '.join(REDS4)}): unpack train_sharp whole")
    clips = [Clip(name, list_pictures(sharp / name)) for name in known]
    if not bicubic.is_dir():
        return Pictures(sharp, _whole(sharp, clips))
    small = [Clip(name, list_pictures(bicubic / name) if (bicubic / name).is_dir() else ()) for name in known]
    for clip, twin in zip(clips, small, strict=True):
        if clip.files != twin.files:
            raise DatasetError(
                f"{bicubic / clip.name} has {len(twin.files)} frames where {sharp / clip.name} has "
                f"{len(clip.files)}: unpack train_sharp_bicubic/X4 again, or remove it"
            )
    return Pictures(sharp, _whole(sharp, clips), Pictures(bicubic, small))


def ucf101(root: Path, split: str) -> Footage:
    """UCF101 triplets: ``<id>/frame_00.png``, ``frame_01_gt.png``, ``frame_02.png``; the same for every split."""
    files = ("frame_00.png", "frame_01_gt.png", "frame_02.png")
    return Pictures(root, [Clip(name, files) for name in _subfolders(root, "folders of frame_00.png")])


def middlebury(root: Path, split: str) -> Footage:
    """Middlebury: ``other-data/<scene>/frame10.png``, ``frame11.png``, ``other-gt-interp/<scene>/frame10i11.png``.

    Scenes without truth are left out; the same for every split.
    """
    scenes = _subfolders(root / "other-data", "the scenes' frame10.png and frame11.png")
    truths = _subfolders(root / "other-gt-interp", "the scenes' frame10i11.png")
    known = [scene for scene in scenes if scene in truths]
    if not known:
        raise DatasetError(f"no scene of {root / 'other-data'} is in {root / 'other-gt-interp'}: unpack both there")
    places = "other-data/{}/frame10.png", "other-gt-interp/{}/frame10i11.png", "other-data/{}/frame11.png"
    return Pictures(root, [Clip(scene, tuple(place.format(scene) for place in places), "") for scene in known])


def middlebury_flow(root: Path, split: str) -> Footage:
    """Middlebury: ``other-data/<scene>/frame10.png``, ``frame11.png``, ``other-gt-flow/<scene>/flow10.flo``.

    Scenes without truth are left out; the same for every split.
    """
    scenes = _subfolders(root / "other-gt-flow", "the scenes' flow10.flo")
    files = "other-data/{}/frame10.png", "other-data/{}/frame11.png"
    clips = [Clip(scene, tuple(file.format(scene) for file in files), "") for scene in scenes]
    return PicturesWithFlow(root, clips, [(f"other-gt-flow/{scene}/flow10.flo",) for scene in scenes])


def sintel(root: Path, split: str) -> Footage:
    """MPI Sintel, final pass: ``training/final/<scene>/frame_0001.png``, ``training/flow/<scene>/frame_0001.flo``.

    The same for every split, since no truth is published of its test part.
    """
    return _sintel(root, "final")


def sintel_clean(root: Path, split: str) -> Footage:
    """MPI Sintel, clean pass: ``training/clean/<scene>/frame_0001.png``; else as ``sintel``."""
    return _sintel(root, "clean")


def _sintel(root: Path, kind: str) -> Footage:
    scenes = _subfolders(root / "training" / kind, f"Sintel's scenes (training/{kind}/<scene>/*.png)")
    clips = [Clip(scene, list_pictures(root / "training" / kind / scene)) for scene in scenes]
    flows = [[f"../flow/{clip.name}/{Path(file).stem}.flo" for file in clip.files[:-1]] for clip in clips]
    return PicturesWithFlow(root / "training" / kind, _whole(root / "training" / kind, clips), flows)


def flying_chairs(root: Path, split: str) -> Footage:
    """FlyingChairs: ``data/00001_img1.ppm``, ``00001_img2.ppm``, ``00001_flow.flo``; the same for every split."""
    _folder(root / "data", "00001_flow.flo and its pictures")
    names = sorted(path.name.removesuffix("_flow.flo") for path in (root / "data").glob("*_flow.flo"))
    if not names:
        raise DatasetError(f"{root / 'data'} holds no *_flow.flo: unpack FlyingChairs there")
    clips = [Clip(name, (f"{name}_img1.ppm", f"{name}_img2.ppm"), "") for name in names]
    return PicturesWithFlow(root / "data", clips, [(f"{name}_flow.flo",) for name in names])


def davis(root: Path, split: str) -> Footage:
    """DAVIS 2017: ``ImageSets/2017/train.txt``, ``val.txt``, ``JPEGImages/480p/<video>/00000.jpg``."""
    videos = root / "JPEGImages" / "480p"
    names = _listed(root / "ImageSets" / "2017" / ("train.txt" if split == "train" else "val.txt"), 1)
    _present(videos, names)
    return Pictures(videos, _whole(videos, [Clip(name, list_pictures(videos / name)) for name in names]))


def pictures(root: Path, split: str) -> Footage:
    """A folder of stills, each a sequence of one frame, to train enlargement on; the same for every split."""
    _folder(root, "pictures (.png, .jpg)")
    names = list_pictures(root)
    if not names:
        raise DatasetError(f"{root} holds no pictures (.png, .jpg): name the folder they lie in")
    return Pictures(root, [Clip(name, (name,), "") for name in names])


def frames(root: Path, split: str) -> Footage:
    """A folder of consecutive frames, or of such folders; the same for every split."""
    _folder(root, "consecutive frames (.png, .jpg), or folders of them")
    folders = [".", *sorted((path.name for path in root.iterdir() if path.is_dir()), key=natural)]
    clips = [Clip(root.name if name == "." else name, list_pictures(root / name), name) for name in folders]
    clips = [clip for clip in clips if clip.files]
    if not clips:
        raise DatasetError(f"{root} holds no frames (.png, .jpg), and no folder in it does: name the one they lie in")
    return Pictures(root, _whole(root, clips))


def shards(root: Path, split: str) -> Footage:
    """What ``vs-interp dataset make`` wrote; the same for every split."""
    from .shards import Shards

    return Shards(root)


def video(file: Path, split: str) -> Footage:
    """A short video file, or a folder of such, held in memory; the same for every split."""
    from .video_footage import VideoFootage

    return VideoFootage(file)


LAYOUTS: dict[str, Callable[[Path, str], Footage]] = {
    "vimeo-triplet": vimeo_triplet,
    "vimeo-septuplet": vimeo_septuplet,
    "adobe240": adobe240,
    "gopro": gopro,
    "reds": reds,
    "ucf101": ucf101,
    "middlebury": middlebury,
    "middlebury-flow": middlebury_flow,
    "sintel": sintel,
    "sintel-clean": sintel_clean,
    "flying-chairs": flying_chairs,
    "davis": davis,
    "pictures": pictures,
    "frames": frames,
    "shards": shards,
    "video": video,
    "chunks": lambda folder, split: ChunkedFootage(folder),
    "moving-digits": MovingDigits,
    "scenes": lambda size, split: ObjectScenes(parse_size(size), split),
    "clouds": lambda size, split: DriftingClouds(parse_size(size), split),
    "scene-labels": lambda size, split: ObjectScenes(parse_size(size), split, "labels"),
}
"""What may stand before the colon of an address."""


def open_footage(address: str, split: str = "train") -> Footage:
    """Open the data set at an address such as ``vimeo-triplet:/data/vimeo_triplet``, ``video:clip.mp4``.

    The layout before the colon is one of :data:`LAYOUTS`.  ``split`` is ``train``,
    ``validation`` or ``test``; layouts that know two parts use the second for both of the latter, and those that
    know none (ucf101, middlebury, shards, pictures, frames, video) give all they have.

    Raises :class:`DatasetError` naming the path that is missing or broken, and what was expected there.
    """
    layout, colon, path = address.partition(":")
    if layout not in LAYOUTS or not colon or not path:
        raise DatasetError(f"{address!r} is no data set: give LAYOUT:PATH, the layout one of {', '.join(LAYOUTS)}")
    if split not in SPLITS:
        raise DatasetError(f"no data set has the split {split!r}: give one of {', '.join(SPLITS)}")
    return LAYOUTS[layout](Path(path), split)


def _vimeo(root: Path, kind: str, split: str, frames: int) -> Footage:
    names = _listed(root / f"{kind}_{'train' if split == 'train' else 'test'}list.txt", 2)
    sequences = root / "sequences"
    _present(sequences, names)
    files = tuple(f"im{number}.png" for number in range(1, frames + 1))
    return Pictures(sequences, [Clip(name, files) for name in names])


def _folders(root: Path, split: str, each: str) -> Footage:
    """Return the footage of ``<root>/<split>/<each>/*.png``."""
    names = _subfolders(root / split, f"folders of consecutive frames ({split}/{each}/*.png)")
    return Pictures(root / split, _whole(root / split, [Clip(n, list_pictures(root / split / n)) for n in names]))


def _whole(root: Path, clips: Sequence[Clip]) -> Sequence[Clip]:
    """Raise :class:`DatasetError` where a clip has no consecutive frames."""
    for clip in clips:
        if len(clip.files) < FEWEST:
            raise DatasetError(
                f"{root / clip.name} holds {len(clip.files)} pictures, and consecutive frames were expected: "
                "unpack it again, or remove it"
            )
    return clips


def _listed(path: Path, depth: int) -> list[str]:
    """Return the folders that a list file names, ``depth`` names deep each; nothing in it may lead elsewhere."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read, and the list of its sequences was expected there") from error
    pattern = re.compile("/".join([r"\w[\w.-]*"] * depth), re.ASCII)
    for number, line in enumerate(lines, 1):
        if line and not pattern.fullmatch(line):
            raise DatasetError(f"{path}, line {number}: {line[:80]!r} names no sequence: fetch the list again")
    names = [line for line in lines if line]
    if not names:
        raise DatasetError(f"{path} is empty, and the list of its sequences was expected there: fetch it again")
    return names


def _present(root: Path, names: Iterable[str]) -> None:
    """Raise :class:`DatasetError` where folders that a list names are missing; one look at each parent suffices."""
    _folder(root, "the folders that its list names")
    missing: list[str] = []
    for parent, group in groupby(names, lambda name: name.rpartition("/")[0]):
        there = {path.name for path in (root / parent).iterdir()} if (root / parent).is_dir() else set()
        missing += [name for name in group if name.rpartition("/")[2] not in there]
    if missing:
        raise DatasetError(
            f"{root / missing[0]} is missing ({len(missing)} of all that the list names are): unpack the data set again"
        )


def _subfolders(root: Path, expected: str) -> list[str]:
    _folder(root, expected)
    found = sorted((path.name for path in root.iterdir() if path.is_dir()), key=natural)
    if not found:
        raise DatasetError(f"{root} is empty, and {expected} were expected in it")
    return found


def _folder(path: Path, expected: str) -> None:
    if not path.is_dir():
        raise DatasetError(f"{path} is no folder, and {expected} were expected in it")
