"""Alpha, which says where a picture can be seen through: a plane of its own that hangs on each frame of a clip.

BestSource hands it out as the property :data:`PLANE`, but for VP8 and VP9.  These have it in a second stream of their
own codec, beside the first in each block of Matroska (https://www.webmproject.org/docs/container/): that becomes a film
of its own in the user's cache, whose luma is the alpha.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import av
import vapoursynth as vs

from .durations import DURATION, TABLE, TICK
from .inputs import kept_in

core = vs.core

PLANE = "_Alpha"
"""Property of a frame that holds a GRAY frame of full range."""

BESIDE, WHICH, ALPHA = "matroska_block_additional", 8, 1
"""libav's kind of side data; the bytes at its beginning that number what follows; and that number for alpha."""

HOLDERS = {"ffv1": ("matroska", "avi"), "libvpx-vp9": ("matroska", "webm"), "prores_ks": ("mov", "matroska")}
"""Encoders that write alpha, and the containers in which it is found again."""

NO_ALPHA = frozenset({"libx265"})
"""Encoders that say they take it, and whose files hardly anybody shows with it."""

PACKED = {"rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap", "rgba64be": "gbrap16le", "rgba64le": "gbrap16le"}
"""Formats that ffmpeg repacks the planes of another for, bit by bit."""


def alpha_of(clip: vs.VideoNode) -> vs.VideoNode | None:
    """Return a clip's alpha, which lasts as long as its frames; ``None`` where the first has none."""
    with clip.get_frame(0) as frame:
        if PLANE not in frame.props:
            return None
    return core.std.CopyFrameProps(core.std.PropToClip(clip, PLANE), clip, props=[*DURATION, TABLE, TICK])


def with_alpha(clip: vs.VideoNode, alpha: vs.VideoNode) -> vs.VideoNode:
    """Return a clip whose frames carry alpha, in as many bits as they have themselves."""
    form = core.query_video_format(vs.GRAY, vs.INTEGER, clip.format.bits_per_sample, 0, 0)
    if alpha.format.id != form.id:
        alpha = core.resize.Point(alpha, format=form.id, range_in=vs.RANGE_FULL, range=vs.RANGE_FULL)
    return core.std.ClipToProp(clip, alpha, PLANE)


def format_with_alpha(name: str) -> str:
    """Return ffmpeg's name of a format with a plane more."""
    return name.replace("yuv", "yuva", 1).replace("gbrp", "gbrap", 1)


def formats_with_alpha(encoder: str, container: str, accepted: frozenset[str]) -> frozenset[str]:
    """Return those of the formats that an encoder takes (by ffmpeg's names) which it also takes with alpha."""
    if encoder in NO_ALPHA or container not in HOLDERS.get(encoder, (container,)):
        return frozenset()
    taken = {PACKED.get(name, name) for name in accepted}
    plain = {name.replace("yuva", "yuv").replace("gbrap", "gbrp") for name in taken}
    return frozenset(name for name in plain if format_with_alpha(name) != name and format_with_alpha(name) in taken)


def beside(path: Path, track: int) -> Path | None:
    """Return a film whose luma is the alpha of a track of VP8 or VP9; ``None`` where frames lack it.

    It is kept in the user's cache.
    """
    state = path.stat()
    key = f"alpha {path.absolute()} {track} {state.st_size} {state.st_mtime_ns}"
    kept = kept_in(path) / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.alpha.mkv"
    if kept.exists():
        return kept
    unfinished = kept.with_name(f".{kept.name}.{os.getpid()}.partial")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not _written(path, track, unfinished):
            return None
        unfinished.replace(kept)
    except OSError:
        return None
    finally:
        unfinished.unlink(missing_ok=True)
    return kept


def _written(path: Path, track: int, film: Path) -> bool:
    """Write the packets that lie beside a track's; return whether each has one."""
    with av.open(f"file:{path}") as source, av.open(f"file:{film}", "w", format="matroska") as target:
        stream = source.streams[track]
        written = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if not packet.size:
                continue
            found = [bytes(side) for side in packet.iter_sidedata() if side.data_type == BESIDE]
            if not found or int.from_bytes(found[0][:WHICH]) != ALPHA:
                return False
            alpha = av.Packet(found[0][WHICH:])
            alpha.stream, alpha.time_base, alpha.is_keyframe = written, packet.time_base, packet.is_keyframe
            alpha.pts, alpha.dts, alpha.duration = packet.pts, packet.dts, packet.duration
            target.mux(alpha)
    return True
