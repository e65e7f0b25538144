"""Videos of objects with a mask for every frame, in the layout of a student project (pdtraver/DL_Final_Project).

``{train,val,unlabeled,hidden}/video_00000/image_0.png`` … ``image_21.png``, and in train and val ``mask.npy``:
22×160×240 bytes with the classes of :mod:`vs_interp.label_code`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp import label_code
from vs_interp.errors import DatasetError
from vs_interp.files import natural
from vs_interp.log import logger
from vs_interp.size import Size

from .footage import Box, Footage, Frames
from .pictures import Clip, Pictures, list_pictures

MASKS = "mask.npy"


class Masks(Footage):
    """The masks of videos, as grey pictures of class numbers.

    Raises :class:`DatasetError` if a frame that is read has numbers that are not classes.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root, self.names = root, tuple(names)
        self._shapes = [_mapped(root / name / MASKS).shape for name in names]
        self.lengths = tuple(shape[0] for shape in self._shapes)

    def name(self, sequence: int) -> str:
        return self.names[sequence]

    def frame_size(self, sequence: int) -> Size:
        return Size.of(self._shapes[sequence][1:])

    def origin(self, sequence: int) -> Hashable:
        return str((self.root / self.names[sequence] / MASKS).resolve())

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, height, width = box
        path = self.root / self.names[sequence] / MASKS
        labels = _mapped(path)[list(numbers), top : top + height, left : left + width]
        if labels.max(initial=0) >= label_code.CLASSES:
            raise DatasetError(
                f"{path} has the label {labels.max()}, but classes are 0 to {label_code.CLASSES - 1}: fix the file"
            )
        return np.repeat(labels[..., None], 3, 3)


def open_object_videos(root: Path, split: str) -> Pictures:
    """Open the videos of a split, with their labels if they have any; ``root`` may also be the folder of one part.

    Damaged videos are skipped with a warning.  Raises :class:`DatasetError` if none is left.
    """
    folder, labelled = _part(root, split)
    clips = list(_whole(folder, labelled))
    if not clips:
        wanted = f", and {MASKS}" if labelled else ""
        raise DatasetError(
            f"{folder} holds no complete video_00000 (image_0.png, …{wanted}): unpack the data set there"
        )
    footage = Pictures(folder, clips)
    if labelled:
        footage.labels = Masks(folder, [clip.name for clip in clips])
    return footage


def open_object_masks(root: Path, split: str) -> Footage:
    """Open the labels alone, for networks whose input they are.  Raises :class:`DatasetError` if there are none."""
    labels = open_object_videos(root, split).labels
    if labels is None:
        raise DatasetError(f"{root} has no {MASKS} beside its pictures: name the data set's folder")
    return labels


def _part(root: Path, split: str) -> tuple[Path, bool]:
    """Return the folder of a split, and whether its videos have masks."""
    if any(root.glob("video_*")):
        return root, any(root.glob(f"video_*/{MASKS}"))
    folder = root / ("train" if split == "train" else "val")
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder, and video_00000, video_00001, … were expected in it")
    return folder, True


def _whole(folder: Path, labelled: bool) -> Iterator[Clip]:
    """Yield the complete videos of a folder; warn about the others."""
    for name in sorted((path.name for path in folder.glob("video_*") if path.is_dir()), key=natural):
        files, problem = list_pictures(folder / name), None
        if len(files) < 2:
            problem = f"it holds {len(files)} pictures"
        elif labelled:
            problem = _problem(folder / name / MASKS, len(files))
        if problem is None:
            yield Clip(name, files)
        else:
            logger.warning("skipping %s: %s", folder / name, problem)


def _problem(path: Path, count: int) -> str | None:
    try:
        masks = _mapped(path)
    except DatasetError as error:
        return str(error)
    return None if len(masks) == count else f"{path.name} has {len(masks)} masks for {count} pictures"


def _mapped(path: Path) -> NDArray[np.uint8]:
    try:
        masks: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path.name} is missing or damaged ({error})") from error
    if masks.dtype != np.uint8 or masks.ndim != 3:
        raise DatasetError(f"{path.name} holds {masks.dtype} {masks.shape}, not bytes of frames × height × width")
    return masks
