"""Run a model file for ``vs-interp evaluate``, in the same sessions as the filters."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from trt_build.backends import Backend, Session
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, RGBS, Profile
from trt_build.verify.verify import verify_session
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.matrices import BT601
from vs_interp.size import Size

from .compare import Stretch
from .material import resampled
from .tasks import Made, Picture

Planes = list[NDArray[np.float32]]


class Served:
    """A :data:`~vs_interp.evaluation.compare.Method`.  Sessions stay open as long as the size stays the same.

    If a luma network is compared with RGB networks, its chroma is upscaled bicubically, as in the filter ``upscale``.
    """

    def __init__(self, model: ModelFile, backend: Backend) -> None:
        self._model, self._spec, self._backend = model, model.spec, backend
        self._size = Size(0, 0)
        self._sessions: Sequence[Session] = ()
        self._stretches = itertools.count()

    def __call__(self, stretch: Stretch) -> Generator[list[Made], None, None]:
        """Yield the pictures of each window; each session works on one window at a time."""
        self._open(stretch.size)
        count, first_key = len(self._sessions), next(self._stretches) << 32
        pending: deque[Future[list[Made]]] = deque()
        with ThreadPoolExecutor(count) as pool:
            for index in range(len(stretch.windows)):
                if len(pending) == count:
                    yield pending.popleft().result()
                session = self._sessions[index % count]
                pending.append(pool.submit(self._run, session, stretch, index, first_key))
            while pending:
                yield pending.popleft().result()

    def _open(self, size: Size) -> None:
        if size != self._size:
            self._sessions = ()
            planes = GRAYS if self._spec.window.channels == 1 else RGBS
            profile = Profile(width=size.width, height=size.height, planes=planes)
            self._sessions = self._backend.open(self._model, profile, verify_session)
            self._size = size

    def _run(self, session: Session, stretch: Stretch, index: int, first_key: int) -> list[Made]:
        numbers = stretch.inputs(index, self._spec.window)
        pictures = [stretch.material.input(stretch.sequence, number) for number in numbers]
        by_luma = self._spec.window.channels == 1 and pictures[0].ndim == 3
        window = [_planes(_luma(picture) if by_luma else picture) for picture in pictures]
        times, wanted = self._times(stretch.times[index])
        made = self._pictures(session, window, [first_key + number for number in numbers], times)
        if self._spec.output.kind == "flow":
            return [np.moveaxis(made[:, 0], 0, 2)]
        if by_luma:
            centre = pictures[self._spec.window.offsets.index(0)]
            return [_with_chroma(made[place, 0], centre) for place in wanted]
        codes: Picture = np.round(made.clip(0, 1) * 255).astype(np.uint8)
        return [codes[place, 0] if codes.shape[1] == 1 else np.moveaxis(codes[place], 0, 2) for place in wanted]

    def _times(self, asked: Sequence[Fraction]) -> tuple[list[float], list[int]]:
        """Return the times of a run, and the indices of the requested pictures among its results.

        Raises :class:`ArgumentError` if the network has fixed times, and a requested one is not among them.
        """
        own = self._spec.output.times
        if own is None:
            return [float(time) for time in asked], list(range(len(asked)))
        exact = [Fraction(time).limit_denominator(64) for time in own]
        missing = [time for time in asked if time not in exact]
        if missing:
            raise ArgumentError(
                f"{self._spec.name} makes pictures at the times {', '.join(map(str, exact))}, but {missing[0]} is "
                "needed: leave it out, or choose another --gap"
            )
        return list(own), [exact.index(time) for time in asked]

    def _pictures(
        self, session: Session, window: Sequence[Planes], keys: Sequence[int], times: Sequence[float]
    ) -> NDArray[np.float32]:
        """Run a session; return pictures × channels × lines × columns."""
        output = self._spec.output
        lines, columns = self._spec.made_size(self._size.height, self._size.width)
        made = np.empty((len(times), output.channels, lines, columns), np.float32)
        session.run(window, keys, times, [list(picture) for picture in made])
        if not np.isfinite(made).all():
            raise BackendError(f"{self._spec.name} made values that are not finite: try another backend")
        return made


def _planes(picture: Picture) -> Planes:
    """Return a picture as planes of float32 in [0, 1]."""
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    return list(np.ascontiguousarray(planes, np.float32) / np.float32(255))


def _luma(picture: Picture) -> Made:
    luma: Made = picture @ np.array(BT601)
    return luma


def _with_chroma(luma: NDArray[np.float32], small: Picture) -> Picture:
    """Return RGB from upscaled luma in [0, 1] and the chroma of the small picture."""
    chroma = resampled(small - _luma(small)[..., None], Size.of(luma.shape))
    return np.round((255 * luma[..., None] + chroma).clip(0, 255)).astype(np.uint8)
