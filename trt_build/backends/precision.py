"""Automatic choice of half precision: a network is tested on real frames once, and the result is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trt_build.engines.key import GRAPH_VERSION
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
"""PSNR in dB that every picture must reach against FP32."""

MOST_CODES = 4.0
"""Largest error in 8-bit codes, of all samples but :data:`OUTLIERS`."""

OUTLIERS = 1e-4
"""The share of samples that may be further off: at the edge of a moving object the smallest difference can turn a pixel
from foreground to background."""

STRIP = 288
"""Size in pixels to which the shorter side is cropped for the test.  Half precision fails on large coordinates, and the
longer side has these."""

LARGER = 3
"""Step between the frames of the window with the larger motion; the other window has neighbouring frames."""


@dataclass(frozen=True)
class Choice:
    """A precision, and why it was chosen."""

    precision: str
    reason: str


def choose_precision(
    half: str, model: ModelFile, profile: Profile, *, identity: str, open_session: Callable[[str, Profile], Session]
) -> Choice:
    """Return ``half`` if pictures made in it are close enough to those in FP32, otherwise ``"fp32"``.

    ``open_session`` opens a session of a precision and size, for the test.  ``identity`` names whatever else the
    result depends on, such as the runtime's version and the processor; the result is stored under it.
    """
    output = model.spec.output
    if output.kind != "frame" or output.crop is not None:
        return Choice("fp32", f"{model.spec.name} makes {output.kind}, for which there is no test of half precision")
    strip = _strip(model, profile)
    key = f"{half} {GRAPH_VERSION} {model.digest} {strip} {identity} {LEAST_PSNR} {MOST_CODES}"
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
    """Return a session's pictures of a small motion and a larger one: pictures × channels × H × W."""
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
    found = f"{half} reaches {psnr:.1f} dB against FP32, within {codes:.1f} 8-bit codes (at most {error.max():.1f})"
    limits = (psnr >= LEAST_PSNR, f"{LEAST_PSNR:g} dB"), (codes <= MOST_CODES, f"{MOST_CODES:g} codes")
    missed = [limit for kept, limit in limits if not kept]  # also where an error is not a number
    return Choice("fp32", f"{found}: {' and '.join(missed)} are asked for") if missed else Choice(half, found)


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
    """Store a choice.  A folder that cannot be written is no error: the next start only takes longer."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(choice)).encode())
    except OSError:
        return
