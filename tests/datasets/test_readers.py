"""The readers, on folders in the exact layouts of the published data sets, with pictures of a few pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vs_interp.datasets.footage import Footage
from vs_interp.datasets.readers import open_footage
from vs_interp.errors import DatasetError

Names = dict[str, list[str]]


class Drawer:
    """Draws pictures of 8×6 (height × width), each in a grey of its own, and remembers the greys."""

    def __init__(self, root: Path) -> None:
        self.root, self.greys = root, dict[str, int]()

    def __call__(self, *paths: str, size: tuple[int, int] = (8, 6)) -> None:
        for name in paths:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self.greys[name] = 10 + 4 * len(self.greys)
            Image.new("RGB", size[::-1], (self.greys[name],) * 3).save(path, quality=100)

    def write(self, name: str, *lines: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text("\n".join(lines) + "\n\n")

    def seen(self, footage: Footage) -> Names:
        """Return the paths of each sequence's frames, told by their greys."""
        paths = {grey: name for name, grey in self.greys.items()}
        return {
            footage.name(sequence): [
                paths[int(frame[0, 0, 0])] for frame in footage.frames(sequence, range(footage.lengths[sequence]))
            ]
            for sequence in range(len(footage.lengths))
        }


@pytest.fixture
def draw(tmp_path: Path) -> Drawer:
    return Drawer(tmp_path)


def numbered(pattern: str, numbers: Iterable[int]) -> list[str]:
    return [pattern.format(number) for number in numbers]


@pytest.mark.parametrize(("layout", "short", "frames"), [("vimeo-triplet", "tri", 3), ("vimeo-septuplet", "sep", 7)])
def test_vimeo(draw: Drawer, layout: str, short: str, frames: int) -> None:
    names = ("00001/0001", "00002/0389", "00001/0002")
    sets = {name: numbered(f"sequences/{name}/im{{}}.png", range(1, frames + 1)) for name in names}
    for files in sets.values():
        draw(*files)
    draw.write(f"{short}_trainlist.txt", "00001/0001", "00002/0389")
    draw.write(f"{short}_testlist.txt", "00001/0002")
    train, test = (open_footage(f"{layout}:{draw.root}", split) for split in ("train", "test"))
    assert draw.seen(train) == {name: sets[name] for name in ("00001/0001", "00002/0389")}
    assert draw.seen(test) == {"00001/0002": sets["00001/0002"]}
    assert train.lengths == (frames, frames)
    assert train.frame_size(0) == (6, 8)


def test_adobe240(draw: Drawer) -> None:
    """Frames 2 and 10 stand in the order of their numbers, with zeros before them or without."""
    for split in ("train", "validation", "test"):
        draw(*numbered(f"{split}/0/{{}}.jpg", range(12)), *numbered(f"{split}/10/{{:04}}.png", range(2)))
        seen = draw.seen(open_footage(f"adobe240:{draw.root}", split))
        assert list(seen) == ["0", "10"]
        assert seen["0"] == numbered(f"{split}/0/{{}}.jpg", range(12))


def test_gopro(draw: Drawer) -> None:
    for video in ("train/GOPR0372_07_00", "train/GOPR0372_07_01", "test/GOPR0384_11_00"):
        draw(*numbered(f"{video}/{{:06}}.png", range(47, 50)))
    train, test = (draw.seen(open_footage(f"gopro:{draw.root}", split)) for split in ("train", "test"))
    assert list(train) == ["GOPR0372_07_00", "GOPR0372_07_01"]
    assert test == {"GOPR0384_11_00": numbered("test/GOPR0384_11_00/{:06}.png", range(47, 50))}


def test_reds(draw: Drawer) -> None:
    for clip in ("000", "001", "011", "240"):
        draw(*numbered(f"train_sharp/{clip}/{{:08}}.png", range(3)), size=(32, 24))
    sharp = open_footage(f"reds:{draw.root}")
    assert sharp.small is None
    for clip in ("000", "001", "011", "240"):
        draw(*numbered(f"train_sharp_bicubic/X4/{clip}/{{:08}}.png", range(3)))
    train, validation = (open_footage(f"reds:{draw.root}", split) for split in ("train", "validation"))
    assert list(draw.seen(train)) == ["001", "240"]
    assert list(draw.seen(validation)) == ["000", "011"], "REDS4 is set aside"
    assert train.small is not None
    assert train.small.frame_size(0) == (6, 8)
    assert draw.seen(train.small)["240"] == numbered("train_sharp_bicubic/X4/240/{:08}.png", range(3))
    (draw.root / "train_sharp_bicubic/X4/001/00000001.png").unlink()
    with pytest.raises(DatasetError, match=r"X4/001 has 2 frames where \S+ has 3"):
        open_footage(f"reds:{draw.root}")


def test_ucf101(draw: Drawer) -> None:
    files = ("frame_00.png", "frame_01_gt.png", "frame_02.png")
    for name in ("1", "11", "2"):
        draw(*(f"{name}/{file}" for file in files))
    seen = draw.seen(open_footage(f"ucf101:{draw.root}", "test"))
    assert seen == {name: [f"{name}/{file}" for file in files] for name in ("1", "2", "11")}


def test_middlebury_leaves_out_scenes_without_truth(draw: Drawer) -> None:
    for scene in ("Beanbags", "MiniCooper", "Walking"):
        draw(*numbered(f"other-data/{scene}/frame{{}}.png", (10, 11)))
        if scene != "MiniCooper":
            draw(f"other-gt-interp/{scene}/frame10i11.png")
    seen = draw.seen(open_footage(f"middlebury:{draw.root}", "test"))
    assert list(seen) == ["Beanbags", "Walking"]
    assert seen["Walking"] == [
        "other-data/Walking/frame10.png", "other-gt-interp/Walking/frame10i11.png", "other-data/Walking/frame11.png"
    ]  # fmt: skip


def test_davis(draw: Drawer) -> None:
    for video in ("bear", "blackswan"):
        draw(*numbered(f"JPEGImages/480p/{video}/{{:05}}.jpg", range(3)))
    draw.write("ImageSets/2017/train.txt", "bear")
    draw.write("ImageSets/2017/val.txt", "blackswan")
    train, test = (draw.seen(open_footage(f"davis:{draw.root}", split)) for split in ("train", "validation"))
    assert train == {"bear": numbered("JPEGImages/480p/bear/{:05}.jpg", range(3))}
    assert list(test) == ["blackswan"]


def test_a_folder_of_stills(draw: Drawer) -> None:
    draw("b.png", "a.jpg", "C.JPEG")
    draw.write("readme.txt", "words")
    footage = open_footage(f"pictures:{draw.root}")
    assert footage.lengths == (1, 1, 1)
    assert set(draw.seen(footage)) == {"b.png", "a.jpg", "C.JPEG"}


def test_a_box_is_cut_of_each_frame(draw: Drawer, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "noise.png")
    cut = open_footage(f"pictures:{tmp_path}").frames(0, [0, 0], (3, 1, 4, 5))
    np.testing.assert_array_equal(cut, np.stack([picture[3:7, 1:6]] * 2))


@pytest.mark.parametrize(
    "line", ["../../../../etc/0001", "/etc/passwd", "00001/..", "00001/0001/../../..", "00001\\0001", "0001", "."]
)
def test_names_of_a_list_never_lead_elsewhere(draw: Drawer, line: str) -> None:
    draw("sequences/00001/0001/im1.png")
    draw.write("tri_trainlist.txt", "00001/0001", line)
    with pytest.raises(DatasetError, match=r"tri_trainlist.txt, line 2: .* names no sequence"):
        open_footage(f"vimeo-triplet:{draw.root}")


def _lists(draw: Drawer) -> None:
    draw.write("tri_trainlist.txt", "00001/0001", "00001/0002", "00002/0001")
    draw.write("ImageSets/2017/train.txt", "bear")


def _half(draw: Drawer) -> None:
    _lists(draw)
    draw("sequences/00001/0001/im1.png", "JPEGImages/480p/boat/00000.jpg", "train/0/0000.png", "other-data/a/x.png")
    draw("other-gt-interp/b/frame10i11.png", "train_sharp/000/00000000.png")


@pytest.mark.parametrize(
    ("made", "layout", "told"),
    [
        (None, "vimeo-triplet", r"tri_trainlist.txt cannot be read, and the list of its sequences was expected"),
        (None, "adobe240", r"train is not a folder, and folders of consecutive frames \(train/<n>/\*.png\)"),
        (None, "gopro", r"train is not a folder, .* \(train/<video>/\*.png\)"),
        (None, "reds", r"train_sharp is not a folder, and the clips 000 to 269"),
        (None, "ucf101", r"is empty, and folders of frame_00.png"),
        (None, "middlebury", r"other-data is not a folder"),
        (None, "davis", r"train.txt cannot be read"),
        (None, "pictures", r"holds no pictures"),
        (None, "shards", r"holds no index.json"),
        (None, "video", r"holds no pictures and no video files \(.mp4, "),
        (_lists, "vimeo-triplet", r"sequences is not a folder"),
        (_lists, "davis", r"480p is not a folder"),
        (_half, "vimeo-triplet", r"00001/0002 is missing \(2 of the listed folders are\)"),
        (_half, "davis", r"bear is missing"),
        (_half, "adobe240", r"train/0 holds 1 pictures, and consecutive frames were expected"),
        (_half, "middlebury", r"no scene of \S+other-data is in \S+other-gt-interp"),
        (_half, "reds", r"lacks a clip besides REDS4"),
    ],
)
def test_missing_and_half_data_sets_are_named(
    draw: Drawer, made: Callable[[Drawer], None] | None, layout: str, told: str
) -> None:
    if made is not None:
        made(draw)
    with pytest.raises(DatasetError, match=told):
        open_footage(f"{layout}:{draw.root}")


@pytest.mark.parametrize("address", ["vimeo", "vimeo-triplet", "vimeo-triplet:", "unknown:/data", ""])
def test_addresses_that_name_no_layout_are_refused(address: str) -> None:
    with pytest.raises(DatasetError, match=r"give LAYOUT:PATH, the layout one of vimeo-triplet, "):
        open_footage(address)


def test_unknown_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'val': give one of train, validation, test"):
        open_footage(f"pictures:{tmp_path}", "val")


def test_unreadable_frames_are_named_one_by_one(draw: Drawer) -> None:
    """Missing, empty, cut short, of another kind or size: each is one line that names the file."""
    files = numbered("train/a/{}.png", range(7))
    draw(*files)
    footage = open_footage(f"gopro:{draw.root}")
    (draw.root / files[1]).unlink()
    (draw.root / files[2]).write_bytes(b"")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)).save(draw.root / files[3])
    whole = (draw.root / files[3]).read_bytes()
    (draw.root / files[3]).write_bytes(whole[: len(whole) // 2])
    (draw.root / files[4]).write_text("words")
    Image.new("RGB", (5, 5)).save(draw.root / files[5])
    problems = list(footage.check())
    assert [problem is None for problem in problems] == [True, False, False, False, False, False, True]
    assert all(file in str(problem) for file, problem in list(zip(files, problems, strict=True))[1:6])
    assert "is missing" in str(problems[1])
    assert "is not a readable picture" in str(problems[3])
    assert "5x5" in str(problems[5])


def test_a_folder_of_frames_and_folders_of_frames_in_it(draw: Drawer) -> None:
    """What lies in the folder itself is a sequence too; 2 comes before 10."""
    draw("2.png", "10.png", "b/1.png", "b/2.png", "a/1.png", "a/2.png", "a/3.png")
    (draw.root / "notes").mkdir()
    assert draw.seen(open_footage(f"frames:{draw.root}")) == {
        draw.root.name: ["2.png", "10.png"],
        "a": ["a/1.png", "a/2.png", "a/3.png"],
        "b": ["b/1.png", "b/2.png"],
    }
