"""Films in which the picture flashes at the moments at which the sound beeps, and where both do so in a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.video import ffmpeg
from vs_interp.films.ffmpeg import find_ffmpeg, keep_time_stamps

MARKS = (1.0, 2.2)
"""Seconds after the beginning of both at which a film flashes and beeps."""

SECONDS = 3.2
CODECS = {
    "mkv": ("libx264", "aac"), "mp4": ("libx264", "aac"), "mov": ("libx264", "pcm_s16le"), "ts": ("mpeg2video", "mp2"),
    "vob": ("mpeg2video", "mp2"), "mpg": ("mpeg1video", "mp2"), "avi": ("mpeg4", "mp3"), "webm": ("libvpx", "libopus"),
}  # fmt: skip
"""Picture and sound of each container."""


def picture(rate: str = "25", seconds: float = SECONDS) -> str:
    """Return ffmpeg's source of a black picture that is white for 40 ms at every mark."""
    white = "+".join(f"gte(t,{mark - 0.001})*lt(t,{mark + 0.039})" for mark in MARKS)
    return f"color=black:s=96x64:r={rate}:d={seconds},drawbox=c=white:t=fill:enable='{white}'"


def sound() -> str:
    """Return ffmpeg's source of a sound that is silent but for 40 ms at every mark."""
    heard = "+".join(f"between(t,{mark},{mark + 0.04})" for mark in MARKS)
    return f"aevalsrc='0.8*sin(2*PI*1000*t)*({heard})':s=48000:d={SECONDS}"


def film(path: Path, *, late_picture: float = 0, late_sound: float = 0, chosen: str = "1", options: str = "") -> Path:
    """Write a film with marks at one rate of 25 frames a second.

    late_picture, late_sound
        Seconds that are cut off its beginning.
    chosen
        ffmpeg's condition for frames that are kept, by their number n.
    """
    pictures, sounds = CODECS[path.suffix[1:]]
    shown = f"select='gte(t,{late_picture - 0.001})*({chosen})'"
    heard = f"aselect='gte(t,{late_sound})'"
    ffmpeg(
        "-f", "lavfi", "-i", picture(), "-f", "lavfi", "-i", sound(), "-vf", shown, "-af", heard,
        *keep_time_stamps(find_ffmpeg()), "-c:v", pictures, "-pix_fmt", "yuv420p", "-g", "15", "-c:a", sounds,
        *(("-deadline", "realtime") if pictures == "libvpx" else ()), *options.split(), path,
    )  # fmt: skip
    return path


def cut(path: Path) -> Path:
    """Write a film with marks that begins in the middle of a group of pictures, cut without encoding anew."""
    whole = film(path.with_stem("whole"))
    ffmpeg("-ss", "0.8", "-i", whole, "-c", "copy", path)
    return path


def joined(path: Path) -> Path:
    """Write two films with marks one after the other, so that time begins anew in the middle."""
    path.write_bytes(film(path).read_bytes() * 2)
    return path


def thinned(path: Path) -> Path:
    """Write a program stream with marks whose pictures have a time stamp where a group begins alone, as on discs."""
    content = bytearray(film(path).read_bytes())
    place = 0
    while (place := content.find(b"\0\0\1\xe0", place)) >= 0:
        length, flags, header = (
            int.from_bytes(content[place + 4 : place + 6]),
            content[place + 7] >> 6,
            content[place + 8],
        )
        begins_group = b"\0\0\1\xb3" in content[place + 9 + header : place + 6 + length]
        if flags and not begins_group:
            content[place + 7] &= 0x3F
            stamps = 5 if flags == 2 else 10
            content[place + 9 : place + 9 + stamps] = b"\xff" * stamps
        place += 6 + length
    path.write_bytes(content)
    return path


FIELD = Fraction(1001, 60000)


def telecined(path: Path) -> Path:
    """Write a film of 23.976 frames a second with marks whose frames are shown for three fields and for two in turn."""
    bare, sounds = path.with_suffix(".m2v"), path.with_suffix(".mp2")
    slowed = "setpts=N*1001/30000/TB,fps=30000/1001"
    ffmpeg("-f", "lavfi", "-i", picture("24000/1001"), "-vf", slowed, "-pix_fmt", "yuv420p", "-c:v", "mpeg2video",
           "-q:v", "2", "-g", "1", bare)  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", sound(), sounds)
    bare.write_bytes(_pulled_down(bytearray(bare.read_bytes())))
    clock = Fraction(1, 90000)
    with (
        av.open(str(bare), format="mpegvideo") as shown,
        av.open(str(sounds)) as heard,
        av.open(str(path), "w") as file,
    ):
        streams = [file.add_stream_from_template(each.streams[0]) for each in (shown, heard)]
        packets: list[tuple[Fraction, av.Packet]] = []
        for number, packet in enumerate(packet for packet in shown.demux(video=0) if packet.size):
            fields = number // 2 * 5 + number % 2 * 3
            packets.append((fields * FIELD, packet))
        packets += [(packet.pts * Fraction(str(packet.time_base)), packet)
                    for packet in heard.demux(audio=0) if packet.size]  # fmt: skip
        for time, packet in sorted(packets, key=lambda each: each[0]):
            packet.stream = streams[packet.stream.type == "audio"]
            packet.time_base, packet.pts, packet.dts = clock, round(time / clock), round(time / clock)
            file.mux(packet)
    return path


def _pulled_down(content: bytearray) -> bytes:
    """Return MPEG-2 video with the flags top_field_first and repeat_first_field of 3:2 pulldown (ISO/IEC 13818-2)."""
    number = place = 0
    while (place := content.find(b"\0\0\1\xb5", place)) >= 0:
        extension = content[place + 4] >> 4
        if extension == 8:  # picture coding
            repeat, top = ((1, 1), (0, 0), (1, 0), (0, 1))[number % 4]
            content[place + 7] = content[place + 7] & ~0x82 | top << 7 | repeat << 1
            content[place + 8] |= 0x80
            number += 1
        elif extension == 1:  # sequence: not progressive
            content[place + 5] &= ~8
        place += 4
    return bytes(content)


def shown(path: Path) -> list[Fraction]:
    """Return when each frame is shown, in seconds of the file's clock, by libav's best guess."""
    with av.open(str(path)) as container:
        return [frame.pts * Fraction(str(frame.time_base)) for frame in container.decode(video=0)]


def flashes(path: Path) -> list[float]:
    """Return when the picture turns white, in seconds of the file's clock, by libav's best guess."""
    found, was = [], False
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            white = float(frame.to_ndarray(format="gray").mean()) > 128
            if white and not was:
                found.append(float(frame.pts * frame.time_base))
            was = white
    return found


def beeps(path: Path) -> list[float]:
    """Return when the sound begins anew, in seconds of the file's clock."""
    heard = _heard(path)
    return [float(time) for time in heard[np.diff(heard, prepend=-1.0) > 0.2]]


def _heard(path: Path) -> NDArray[np.float64]:
    """Return when there is sound, sample by sample."""
    with av.open(str(path)) as container:
        return np.concatenate([_loud(frame) for frame in container.decode(audio=0)])


def _loud(frame: av.AudioFrame) -> NDArray[np.float64]:
    samples = frame.to_ndarray()  # one channel
    scale = np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else 1
    places = np.flatnonzero(np.abs(samples[0]) > 0.1 * scale)
    return float(frame.pts * frame.time_base) + places / frame.sample_rate
