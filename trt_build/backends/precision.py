"""Half precision chosen by its result: a network is tried on pictures once, and what was found is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import BackendError
from vs_interp.files import write_whole
from vs_interp.folders import cache_folder
from vs_interp.metrics import decibels
from vs_interp.size import Size

from .base import Session
from .film import film_frames, fitted

LEAST_PSNR = 55.0
"""Decibels at 8 bits that every picture must reach for half precision to be taken unasked."""

MOST_CODES = 4.0
"""Code values of 8 bits that all samples but :data:`OUTLIERS` of them must come within."""

OUTLIERS = 1e-4
"""The share of the samples that may be further off: where something moves before something else, the least difference
may turn a pixel from the one to the other."""

STRIP = 288
"""Pixels of the shorter side that are tried: half precision goes wrong with long coordinates, not with many."""

LARGER = 3
"""Frames of film between those of the window with the larger motion."""


@dataclass(frozen=True)
class Choice:
    """A precision, and why it was taken."""

    precision: str
    reason: str


def choose_precision(
    half: str, model: ModelFile, profile: Profile, *, identity: str, open_session: Callable[[str, Profile], Session]
) -> Choice:
    """Return ``half`` where pictures made in it are near enough to those in FP32, else ``"fp32"``.

    ``open_session`` gives a session that works in a precision and at a size, where this was not found out before;
    ``identity`` names all else that the outcome depends on: the runtime's version and the processor.
    """
    output = model.spec.output
    if output.kind != "frame" or output.crop is not None:
        return Choice("fp32", f"{model.spec.name} makes {output.kind}, which is not judged as film is")
    strip = _strip(model, profile)
    key = f"{half} {model.digest} {strip} {identity} {LEAST_PSNR} {MOST_CODES}"
    path = cache_folder("precision") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    kept = _read(path)
    if kept is not None:
        return kept
    try:
        made, wanted = (_made(open_session(precision, strip), model, strip) for precision in (half, "fp32"))
    except BackendError as error:
        choice = Choice("fp32", f"{half} does not work here: {error}")
    else:
        choice = _judged(half, made, wanted)
    _write(path, choice)
    return choice


def _made(session: Session, model: ModelFile, profile: Profile) -> NDArray[np.float32]:
    """Return what a session makes of film, with a small motion and a larger one: pictures × channels × H × W."""
    spec, size = model.spec, Size(profile.width, profile.height)
    places = range(len(spec.window.offsets))
    shown = [fitted(picture, size) for picture in film_frames(1 + LARGER * places[-1])]
    if spec.window.channels == 1:
        shown = [picture.mean(0, keepdims=True) for picture in shown]
    shape = spec.pictures, spec.output.channels, size.height * spec.output.scale, size.width * spec.output.scale
    made = np.zeros((2, *shape), np.float32)
    for out, apart in zip(made, (1, LARGER), strict=True):
        keys = [place * apart for place in places]
        session.run([list(shown[key]) for key in keys], keys, spec.output.times or (0.5,), [list(one) for one in out])
    return made.reshape(-1, *shape[1:])


def _judged(half: str, made: NDArray[np.float32], wanted: NDArray[np.float32]) -> Choice:
    error = 255 * np.abs(made.clip(0, 1) - wanted.clip(0, 1))
    psnr = min(99.0, *(decibels(float((one.astype(np.float64) ** 2).mean()) / 255**2) for one in error))
    codes = float(np.quantile(error, 1 - OUTLIERS))
    close = psnr >= LEAST_PSNR and codes <= MOST_CODES
    found = f"on film {half} comes to {psnr:.1f} dB, {codes:.1f} codes (one pixel to {error.max():.1f}) from FP32"
    return Choice(half if close else "fp32", found)


def _strip(model: ModelFile, profile: Profile) -> Profile:
    if model.spec.fixed is not None:
        return profile
    width, height = profile.width, profile.height
    width, height = (width, min(height, STRIP)) if width >= height else (min(width, STRIP), height)
    return replace(profile, width=model.spec.padded(width), height=model.spec.padded(height))


def _read(path: Path) -> Choice | None:
    try:
        return Choice(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, choice: Choice) -> None:
    """Keep what was found; a folder that takes nothing costs time at the next start, and is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(choice)).encode())
    except OSError:
        return
