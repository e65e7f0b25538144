"""A model file at work for ``vs-interp evaluate``, through the sessions that serve it in a script."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from trt_build.backends import Backend, Session
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, RGBS, Profile
from trt_build.verify.verify import verify_session
from vs_interp.errors import BackendError
from vs_interp.size import Size

from .compare import Stretch
from .material import Picture

Planes = list[NDArray[np.float32]]


class Served:
    """A :data:`~vs_interp.evaluation.compare.Method`.  Sessions stay open as long as the size is the same."""

    def __init__(self, model: ModelFile, backend: Backend) -> None:
        self._model, self._backend = model, backend
        self._size = Size(0, 0)
        self._sessions: Sequence[Session] = ()
        self._stretches = itertools.count()

    def __call__(self, stretch: Stretch) -> Generator[list[Picture], None, None]:
        """Yield the pictures of each window; as many windows are worked on at a time as there are sessions."""
        self._open(stretch.size)
        count, first_key = len(self._sessions), next(self._stretches) << 32
        pending: deque[Future[list[Picture]]] = deque()
        with ThreadPoolExecutor(count) as pool:
            for index, window in enumerate(stretch.windows):
                if len(pending) == count:
                    yield pending.popleft().result()
                shown = [_planes(stretch.material.input(stretch.sequence, number)) for number in window.inputs]
                keys = [first_key + number for number in window.inputs]
                times = [float(time) for time in stretch.times[index]]
                pending.append(pool.submit(self._run, self._sessions[index % count], shown, keys, times))
            while pending:
                yield pending.popleft().result()

    def _open(self, size: Size) -> None:
        if size != self._size:
            self._sessions = ()
            planes = GRAYS if self._model.spec.window.channels == 1 else RGBS
            profile = Profile(width=size.width, height=size.height, planes=planes)
            self._sessions = self._backend.open(self._model, profile, verify_session)
            self._size = size

    def _run(
        self, session: Session, window: Sequence[Planes], keys: Sequence[int], times: Sequence[float]
    ) -> list[Picture]:
        output = self._model.spec.output
        lines, columns = self._size.height * output.scale, self._size.width * output.scale
        made = np.empty((len(times), output.channels, lines, columns), np.float32)
        session.run(window, keys, times, [list(picture) for picture in made])
        if not np.isfinite(made).all():
            raise BackendError(f"{self._model.spec.name} made values that are not finite: try another backend")
        codes = np.round(made.clip(0, 1) * 255).astype(np.uint8)
        return [planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, 2) for planes in codes]


def _planes(picture: Picture) -> Planes:
    """Return a picture as sessions take it: float32 in [0, 1], plane by plane."""
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    return list(np.ascontiguousarray(planes, np.float32) / np.float32(255))
