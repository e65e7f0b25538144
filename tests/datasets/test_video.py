"""Videos to train on: what of them is kept, in which planes, and what these are in RGB."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs
from PIL import Image

from tests.short_film import HEIGHT, RUNS, WIDTH, film_frames, picture, write_video
from tests.video import ffmpeg, make_interlaced, make_variable, time_stamps
from vs_interp.datasets.planar import FrameFormat, to_rgb
from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.shards import make_shards
from vs_interp.datasets.video import Video
from vs_interp.datasets.video_footage import VideoFootage
from vs_interp.errors import DatasetError


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "film.mkv", film_frames())


def test_runs_end_at_cuts_and_still_frames(film: Path) -> None:
    video = Video(film)
    kept = list(video.frames())
    begins = [frame.number for frame in kept if frame.difference is None]
    assert [frame.number for frame in kept] == [
        number for begin in RUNS for number in range(begin, begin + RUNS[begin])
    ]
    assert begins == list(RUNS)
    tally = video.tally
    assert (tally.frames, tally.kept, tally.cuts, tally.stills, tally.damaged, tally.uneven) == (17, 15, 2, 1, 0, 0)


def test_uneven_steps_in_time_end_a_run(tmp_path: Path) -> None:
    """Frames last 60, 40, 20, 60, 20, 40 and 60 ms, again and again: only 60 and 60, 60 and 40 are near enough."""
    path = make_variable(tmp_path / "variable.mp4")
    steps = [after - before for before, after in pairwise(time_stamps(path))]
    assert steps[:7] == [Fraction(step, 1000) for step in (60, 40, 20, 60, 20, 40, 60)]
    video = Video(path)
    assert _runs(video) == [(0, 3), (6, 4), (13, 4), (20, 3)]
    assert video.tally.uneven == 12


def _runs(video: Video) -> list[tuple[int, int]]:
    numbers = [(frame.number, frame.difference is None) for frame in video.frames()]
    begins = [place for place, (_, first) in enumerate(numbers) if first]
    return [(numbers[begin][0], end - begin) for begin, end in zip(begins, [*begins[1:], len(numbers)], strict=True)]


def test_damaged_frames_end_a_run_and_are_counted(tmp_path: Path) -> None:
    """What follows up to the next key frame is predicted from the damaged frame, and is left out with it."""
    coded = ("-c:v", "libx264", "-qp", "10", "-g", "6", "-bf", "0", "-sc_threshold", "0")
    path = write_video(tmp_path / "film.mp4", [picture(0, moment) for moment in range(18)], *coded)
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[8]
    content = bytearray(path.read_bytes())
    begin = packet.pos + packet.size // 2
    content[begin : packet.pos + packet.size] = bytes(packet.size - packet.size // 2)
    path.write_bytes(content)
    video = Video(path)
    assert _runs(video) == [(0, 8), (12, 6)]
    assert (video.tally.frames, video.tally.damaged) == (18, 4)


def test_interlaced_frames_are_refused_with_their_number(tmp_path: Path) -> None:
    """Two fields of different moments are no picture to be measured against, nor to learn from."""
    with pytest.raises(DatasetError, match=r"frame 0 of .*in\.ts is interlaced: deinterlace"):
        list(Video(make_interlaced(tmp_path / "in.ts")).frames())


def test_videos_without_motion_leave_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.mkv", [picture(0, 0)] * 5)
    with pytest.raises(DatasetError, match=r"no 3 consecutive frames of \S+still.mkv move"):
        make_shards([Video(path)], tmp_path / "shards")
    with pytest.raises(DatasetError, match=r"no 3 consecutive frames with motion"):
        VideoFootage(path)
    assert [path.name for path in tmp_path.iterdir()] == ["still.mkv"]


def test_a_video_too_long_for_memory_is_refused(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vs_interp.datasets.video_footage.MEMORY", 10 * HEIGHT * WIDTH * 3 // 2)
    with pytest.raises(DatasetError, match=r"take more than .*vs-interp dataset make .*film.mkv -o DIR"):
        VideoFootage(film)


def test_the_videos_of_a_folder_are_one_data_set(film: Path, tmp_path: Path) -> None:
    """Other files are left alone; another film is another fingerprint."""
    for name in ("2.mkv", "10.MKV"):
        (tmp_path / name).symlink_to(film)
    (tmp_path / "notes.txt").write_text("no film")
    alone, both = VideoFootage(film), VideoFootage(tmp_path)
    assert both.lengths == 2 * alone.lengths
    assert both.name(0).startswith("2.mkv") and both.name(len(alone.lengths)).startswith("10.MKV")
    assert alone.fingerprint() == VideoFootage(film).fingerprint() != both.fingerprint()


def test_tall_frames_are_shrunk_and_small_ones_kept(film: Path) -> None:
    assert Video(film, height=24).frame_format == FrameFormat(24, 32, "bt601", False)
    assert Video(film, height=720).frame_format == FrameFormat(HEIGHT, WIDTH, "bt601", False)
    planes = next(Video(film, height=24).frames()).planes
    luma = picture(0, 0)[: HEIGHT * WIDTH].reshape(24, 2, 32, 2).mean((1, 3))
    assert np.abs(planes[: 24 * 32].reshape(24, 32) - luma).mean() < 1


@pytest.mark.parametrize(
    ("pixels", "arguments", "frame_format"),
    [
        ("yuv422p10le", (), FrameFormat(HEIGHT, WIDTH, "bt601", False)),
        ("yuv444p", ("-colorspace", "bt709"), FrameFormat(HEIGHT, WIDTH, "bt709", False)),
        ("yuv420p", ("-color_range", "pc", "-colorspace", "bt2020nc"), FrameFormat(HEIGHT, WIDTH, "bt2020", True)),
        ("bgr0", (), FrameFormat(HEIGHT, WIDTH, "bt601", True)),
    ],
)
def test_any_format_becomes_eight_bit_planes(
    tmp_path: Path, pixels: str, arguments: tuple[str, ...], frame_format: FrameFormat
) -> None:
    path = write_video(tmp_path / "film.mkv", film_frames()[:4], "-pix_fmt", pixels, *arguments)
    data = open_footage(f"video:{path}")
    assert isinstance(data, VideoFootage)
    assert data.sequences[0].frame_format == frame_format
    shown = tmp_path / "shown.png"
    ffmpeg("-i", path, "-frames:v", "1", "-vf", "scale=flags=bilinear+full_chroma_int+accurate_rnd", shown)
    expected = np.asarray(Image.open(shown).convert("RGB")).astype(int)
    assert np.abs(data.frames(0, [0])[0] - expected).mean() < 2


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full", [False, True])
def test_crops_are_converted_as_zimg_does(matrix: str, full: bool) -> None:
    """Any box, on odd and even lines, against zimg's linear interpolation of the whole frame."""
    height, width = 18, 34
    planes = np.random.default_rng(0).integers(0, 256, (2, height * width * 3 // 2), np.uint8)
    blank = vs.core.std.BlankClip(format=vs.YUV420P8, width=width, height=height, length=1)
    codes = {"bt601": vs.MATRIX_ST170_M, "bt709": vs.MATRIX_BT709, "bt2020": vs.MATRIX_BT2020_NCL}

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        filled = f.copy()
        begin = 0
        for plane in range(3):
            target = np.asarray(filled[plane])
            target[:] = planes[1, begin : begin + target.size].reshape(target.shape)
            begin += target.size
        filled.props.update(_Matrix=codes[matrix], _Range=int(full), _ChromaLocation=0)
        return filled

    clip = vs.core.std.ModifyFrame(blank, blank, fill)
    with vs.core.resize.Bilinear(clip, format=vs.RGB24).get_frame(0) as frame:
        expected = np.stack([np.asarray(frame[plane]) for plane in range(3)], -1)
    frame_format = FrameFormat(height, width, matrix, full)
    for box in ((0, 0, height, width), (3, 5, 7, 11), (4, 6, 1, 1), (11, 0, 7, 34)):
        top, left, rows, columns = box
        made = to_rgb(planes, frame_format, [1, 0], box)[0]
        wanted = expected[top : top + rows, left : left + columns]
        assert np.abs(made.astype(int) - wanted).max() <= 1
