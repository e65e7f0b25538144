"""Alpha (transparency): a GRAY frame attached to every frame of a clip as a property.

BestSource sets that property (:data:`PLANE`) for all codecs but VP8 and VP9, whose alpha is a second video stream of
the same codec, stored in Matroska as side data of each block (https://www.webmproject.org/docs/container/).  That
stream is extracted to a film in the user's cache, whose luma is the alpha.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import av
import vapoursynth as vs

from .durations import DURATION, TABLE, TICK
from .inputs import index_folder

core = vs.core

PLANE = "_Alpha"
"""The frame property that holds the alpha, a GRAY frame in full range."""

BLOCK_ADDITIONAL, ID_BYTES, ALPHA_ID = "matroska_block_additional", 8, 1
"""libav's type of this side data, the length of the number at its beginning (BlockAddID), and that of alpha."""

HOLDERS = {"ffv1": ("matroska", "avi"), "libvpx-vp9": ("matroska", "webm"), "prores_ks": ("mov", "matroska")}
"""Encoders that write alpha, and the containers that keep it."""

NO_ALPHA = frozenset({"libx265"})
"""Encoders that accept alpha, although hardly any player shows it."""

PACKED = {"rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap", "rgba64be": "gbrap16le", "rgba64le": "gbrap16le"}
"""Packed format → the planar format that ffmpeg converts to it without loss."""


def alpha_of(clip: vs.VideoNode) -> vs.VideoNode | None:
    """Return the alpha of a clip, with the durations of its frames; ``None`` if the first frame has none."""
    with clip.get_frame(0) as frame:
        if PLANE not in frame.props:
            return None
    return core.std.CopyFrameProps(core.std.PropToClip(clip, PLANE), clip, props=[*DURATION, TABLE, TICK])


def with_alpha(clip: vs.VideoNode, alpha: vs.VideoNode) -> vs.VideoNode:
    """Return a clip with ``alpha`` attached to its frames, converted to their bit depth."""
    form = core.query_video_format(vs.GRAY, vs.INTEGER, clip.format.bits_per_sample, 0, 0)
    if alpha.format.id != form.id:
        alpha = core.resize.Point(alpha, format=form.id, range_in=vs.RANGE_FULL, range=vs.RANGE_FULL)
    return core.std.ClipToProp(clip, alpha, PLANE)


def format_with_alpha(name: str) -> str:
    """Return ffmpeg's name of a pixel format with alpha added."""
    return name.replace("yuv", "yuva", 1).replace("gbrp", "gbrap", 1)


def formats_with_alpha(encoder: str, container: str, accepted: frozenset[str]) -> frozenset[str]:
    """Return those formats (without alpha, by ffmpeg's names) that an encoder also accepts with alpha.

    There are none if the container does not keep alpha.
    """
    if encoder in NO_ALPHA or container not in HOLDERS.get(encoder, (container,)):
        return frozenset()
    taken = {PACKED.get(name, name) for name in accepted}
    plain = {name.replace("yuva", "yuv").replace("gbrap", "gbrp") for name in taken}
    return frozenset(name for name in plain if format_with_alpha(name) != name and format_with_alpha(name) in taken)


def alpha_stream(path: Path, track: int) -> Path | None:
    """Return a film whose luma is the alpha of a VP8 or VP9 track; ``None`` if some frames have no alpha.

    It is kept in the user's cache.
    """
    state = path.stat()
    key = f"alpha {path.absolute()} {track} {state.st_size} {state.st_mtime_ns}"
    kept = index_folder(path) / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.alpha.mkv"
    if kept.exists():
        return kept
    unfinished = kept.with_name(f".{kept.name}.{os.getpid()}.partial")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not _copy_alpha(path, track, unfinished):
            return None
        unfinished.replace(kept)
    except OSError:
        return None
    finally:
        with suppress(OSError):  # also where there is no folder for it
            unfinished.unlink()
    return kept


def _copy_alpha(path: Path, track: int, film: Path) -> bool:
    """Write the alpha packets of a track to ``film``; return whether every packet of the track has one."""
    with av.open(f"file:{path}") as source, av.open(f"file:{film}", "w", format="matroska") as target:
        stream = source.streams[track]
        written = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if not packet.size:
                continue
            found = [bytes(side) for side in packet.iter_sidedata() if side.data_type == BLOCK_ADDITIONAL]
            if not found or int.from_bytes(found[0][:ID_BYTES]) != ALPHA_ID:
                return False
            alpha = av.Packet(found[0][ID_BYTES:])
            alpha.stream, alpha.time_base, alpha.is_keyframe = written, packet.time_base, packet.is_keyframe
            alpha.pts, alpha.dts, alpha.duration = packet.pts, packet.dts, packet.duration
            target.mux(alpha)
    return True
