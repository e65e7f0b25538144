"""The layouts of the published data sets, one function each: where the frames are, and which belong to a split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vs_interp.errors import DatasetError
from vs_interp.files import natural

from .chunked_footage import ChunkedFootage
from .drifting_clouds import DriftingClouds
from .flow_data_sets import flying_chairs, middlebury_flow, sintel, sintel_clean
from .footage import Footage
from .listing import folder, listed, present, subfolders, whole
from .moving_digits import MovingDigits
from .object_scenes import ObjectScenes, parse_size
from .object_videos import open_object_masks, open_object_videos
from .pictures import Clip, Pictures, list_pictures

SPLITS = ("train", "validation", "test")

REDS4 = ("000", "011", "015", "020")
"""The clips of REDS's training part that are reserved for validation (Wang et al. 2019, EDVR)."""


def vimeo_triplet(root: Path, split: str) -> Footage:
    """Vimeo-90K: ``tri_trainlist.txt``, ``tri_testlist.txt``, ``sequences/00001/0001/im1.png`` … ``im3.png``."""
    return _vimeo(root, "tri", split, 3)


def vimeo_septuplet(root: Path, split: str) -> Footage:
    """Vimeo-90K: ``sep_trainlist.txt``, ``sep_testlist.txt``, ``sequences/00001/0001/im1.png`` … ``im7.png``."""
    return _vimeo(root, "sep", split, 7)


def adobe240(root: Path, split: str) -> Footage:
    """Clips cut from high-speed video, as for Super-SloMo: ``train/<n>/``, ``validation/<n>/``, ``test/<n>/``."""
    return _folders(root, split, "<n>")


def gopro(root: Path, split: str) -> Footage:
    """GoPro 240 fps (GOPRO_Large_all): ``train/<video>/*.png``, ``test/<video>/*.png``."""
    return _folders(root, "train" if split == "train" else "test", "<video>")


def reds(root: Path, split: str) -> Footage:
    """REDS: ``train_sharp/000/00000000.png``, and if present, reduced: ``train_sharp_bicubic/X4/000/00000000.png``.

    The clips of :data:`REDS4` are for validation and test, all others for training.
    """
    sharp, bicubic = root / "train_sharp", root / "train_sharp_bicubic" / "X4"
    known = [name for name in subfolders(sharp, "the clips 000 to 269") if (name in REDS4) == (split != "train")]
    if not known:
        wanted = "any clip of REDS4" if split != "train" else "a clip besides REDS4"
        raise DatasetError(f"{sharp} lacks {wanted} ({', '.join(REDS4)}): unpack all of train_sharp")
    clips = [Clip(name, list_pictures(sharp / name)) for name in known]
    if not bicubic.is_dir():
        return Pictures(sharp, whole(sharp, clips))
    small = [Clip(name, list_pictures(bicubic / name) if (bicubic / name).is_dir() else ()) for name in known]
    for clip, twin in zip(clips, small, strict=True):
        if clip.files != twin.files:
            raise DatasetError(
                f"{bicubic / clip.name} has {len(twin.files)} frames where {sharp / clip.name} has "
                f"{len(clip.files)}: unpack train_sharp_bicubic/X4 again, or remove it"
            )
    return Pictures(sharp, whole(sharp, clips), Pictures(bicubic, small))


def ucf101(root: Path, split: str) -> Footage:
    """UCF101 triplets: ``<id>/frame_00.png``, ``frame_01_gt.png``, ``frame_02.png``; all splits are the same."""
    files = ("frame_00.png", "frame_01_gt.png", "frame_02.png")
    return Pictures(root, [Clip(name, files) for name in subfolders(root, "folders of frame_00.png")])


def middlebury(root: Path, split: str) -> Footage:
    """Middlebury: ``other-data/<scene>/frame10.png``, ``frame11.png``, ``other-gt-interp/<scene>/frame10i11.png``.

    Scenes without a true middle frame are left out; all splits are the same.
    """
    scenes = subfolders(root / "other-data", "the scenes' frame10.png and frame11.png")
    truths = subfolders(root / "other-gt-interp", "the scenes' frame10i11.png")
    known = [scene for scene in scenes if scene in truths]
    if not known:
        raise DatasetError(f"no scene of {root / 'other-data'} is in {root / 'other-gt-interp'}: unpack both there")
    places = "other-data/{}/frame10.png", "other-gt-interp/{}/frame10i11.png", "other-data/{}/frame11.png"
    return Pictures(root, [Clip(scene, tuple(place.format(scene) for place in places), "") for scene in known])


def davis(root: Path, split: str) -> Footage:
    """DAVIS 2017: ``ImageSets/2017/train.txt``, ``val.txt``, ``JPEGImages/480p/<video>/00000.jpg``."""
    videos = root / "JPEGImages" / "480p"
    names = listed(root / "ImageSets" / "2017" / ("train.txt" if split == "train" else "val.txt"), 1)
    present(videos, names)
    return Pictures(videos, whole(videos, [Clip(name, list_pictures(videos / name)) for name in names]))


def pictures(root: Path, split: str) -> Footage:
    """A folder of stills, each a sequence of one frame, for training super-resolution; all splits are the same."""
    folder(root, "pictures (.png, .jpg)")
    names = list_pictures(root)
    if not names:
        raise DatasetError(f"{root} holds no pictures (.png, .jpg): name the folder that does")
    return Pictures(root, [Clip(name, (name,), "") for name in names])


def frames(root: Path, split: str) -> Footage:
    """A folder of consecutive frames, or of such folders; all splits are the same."""
    folder(root, "consecutive frames (.png, .jpg), or folders of them")
    folders = [".", *sorted((path.name for path in root.iterdir() if path.is_dir()), key=natural)]
    clips = [Clip(root.name if name == "." else name, list_pictures(root / name), name) for name in folders]
    clips = [clip for clip in clips if clip.files]
    if not clips:
        raise DatasetError(f"neither {root} nor its subfolders hold frames (.png, .jpg): name the folder that does")
    return Pictures(root, whole(root, clips))


def shards(root: Path, split: str) -> Footage:
    """A data set made by ``vs-interp dataset make``; all splits are the same."""
    from .shards import Shards

    return Shards(root)


def video(file: Path, split: str) -> Footage:
    """A short video file or a folder of these, held in memory; all splits are the same."""
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
    "object-videos": open_object_videos,
    "object-masks": open_object_masks,
    "scenes": lambda size, split: ObjectScenes(parse_size(size), split),
    "clouds": lambda size, split: DriftingClouds(parse_size(size), split),
    "scene-labels": lambda size, split: ObjectScenes(parse_size(size), split, "labels"),
}
"""Layout (before the colon of an address) → function that opens the rest of the address and a split."""


def open_footage(address: str, split: str = "train") -> Footage:
    """Open the data set at an address such as ``vimeo-triplet:/data/vimeo_triplet`` or ``video:clip.mp4``.

    The layout before the colon is one of :data:`LAYOUTS`.  ``split`` is ``train``, ``validation`` or ``test``.  In
    layouts with two parts, the latter two are the same; those without any (ucf101, middlebury, shards, pictures,
    frames, video, …) give everything for each.

    Raises :class:`DatasetError`, which names the path that is missing or damaged and what was expected there.
    """
    layout, colon, path = address.partition(":")
    if layout not in LAYOUTS or not colon or not path:
        raise DatasetError(f"{address!r} is not a data set: give LAYOUT:PATH, the layout one of {', '.join(LAYOUTS)}")
    if split not in SPLITS:
        raise DatasetError(f"no data set has the split {split!r}: give one of {', '.join(SPLITS)}")
    return LAYOUTS[layout](Path(path), split)


def _vimeo(root: Path, kind: str, split: str, frames: int) -> Footage:
    names = listed(root / f"{kind}_{'train' if split == 'train' else 'test'}list.txt", 2)
    sequences = root / "sequences"
    present(sequences, names)
    files = tuple(f"im{number}.png" for number in range(1, frames + 1))
    return Pictures(sequences, [Clip(name, files) for name in names])


def _folders(root: Path, split: str, each: str) -> Footage:
    """Return the footage of ``<root>/<split>/<each>/*.png``."""
    names = subfolders(root / split, f"folders of consecutive frames ({split}/{each}/*.png)")
    return Pictures(root / split, whole(root / split, [Clip(n, list_pictures(root / split / n)) for n in names]))
