"""The GPUs that engines are built for: names, compute capabilities, and which runtime builds for which.

Compute capabilities as listed by NVIDIA (developer.nvidia.com/cuda-gpus), or those of the chip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vs_interp.errors import ArgumentError, BackendError

from .runtimes import Runtime


@dataclass(frozen=True, order=True)
class Target:
    """A compute capability, written ``sm_89``, or :data:`EVERY`."""

    major: int
    minor: int

    def __str__(self) -> str:
        return "any" if self == EVERY else f"sm_{self.major}{self.minor}"


@dataclass(frozen=True)
class Gpu:
    """A GPU of this machine; ``driver`` is the CUDA version that its driver supports, such as ``13.0``."""

    index: int
    name: str
    target: Target
    driver: str

    def __str__(self) -> str:
        return f"{self.name}, CUDA {self.driver}"


EVERY = Target(0, 0)
"""All GPUs that TensorRT-RTX knows from 8.0 up, written ``any``: one engine serves them all."""

ARCHITECTURES = {
    "turing": Target(7, 5),
    "ampere": Target(8, 6),
    "ada": Target(8, 9),
    "hopper": Target(9, 0),
    "blackwell": Target(12, 0),
}
"""Architecture → compute capability of its graphics cards; the A100 (8.0) and the B200 (10.0) differ from them."""

_CARDS = {
    Target(7, 5): "GTX 1630, GTX 1650, GTX 1660, RTX 2060, RTX 2070, RTX 2080, Titan RTX, MX450, MX550,"
    " T4, T400, T500, T600, T1000, T1200, RTX 3000, RTX 4000, RTX 5000, RTX 6000, RTX 8000",
    Target(8, 0): "A100, A30, A800",
    Target(8, 6): "RTX 2050, RTX 3050, RTX 3060, RTX 3070, RTX 3080, RTX 3090, MX570, A2, A10, A10G, A16, A40,"
    " RTX A400, RTX A500, RTX A1000, RTX A2000, RTX A3000, RTX A4000, RTX A4500, RTX A5000, RTX A5500, RTX A6000",
    Target(8, 7): "Orin",
    Target(8, 9): "RTX 4050, RTX 4060, RTX 4070, RTX 4080, RTX 4090, L2, L4, L20, L40, L40S,"
    " RTX 500 Ada, RTX 1000 Ada, RTX 2000 Ada, RTX 3000 Ada, RTX 3500 Ada, RTX 4000 Ada, RTX 4500 Ada,"
    " RTX 5000 Ada, RTX 6000 Ada",
    Target(9, 0): "H20, H100, H200, H800, GH200",
    Target(10, 0): "B100, B200, GB200",
    Target(10, 3): "B300, GB300",
    Target(12, 0): "RTX 5050, RTX 5060, RTX 5070, RTX 5080, RTX 5090,"
    " RTX PRO 500, RTX PRO 1000, RTX PRO 2000, RTX PRO 3000, RTX PRO 4000, RTX PRO 4500, RTX PRO 5000, RTX PRO 6000",
    Target(12, 1): "GB10, DGX Spark",
}

CARDS = {card: target for target, cards in _CARDS.items() for card in cards.split(", ")}
"""Card → compute capability.  ``RTX 4000`` alone is the Quadro of 2018; its namesakes say ``Ada`` or ``PRO``."""

RTX_TARGETS = (Target(7, 5), Target(8, 0), Target(8, 6), Target(8, 9), Target(12, 0), Target(12, 1))
"""The compute capabilities that TensorRT-RTX 1.7 builds for, on any machine; 9.0 is not among them."""

EVERY_FROM = Target(8, 0)
"""The lowest compute capability that engines for :data:`EVERY` serve."""

_SUFFIXES = re.compile(
    r"(ti|super|d|laptop|mobile|maxq|maxp|design|gpu|generation|blackwell|server|workstation|edition|pcie|sxm\d?|nvl|tensorcore)+$"
)


def parse_targets(text: str) -> tuple[Target, ...]:
    """Return the targets of a comma-separated list of names (see :func:`parse_target`), in order, each once."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ArgumentError(f"no GPU is named in {text!r}: {_known()}")
    return tuple(dict.fromkeys(parse_target(name) for name in names))


def parse_target(name: str) -> Target:
    """Return the compute capability that a name stands for.

    A name is ``sm_89``, ``8.9``, an architecture (``ada``), a card (``RTX 4090``, ``NVIDIA GeForce RTX 4090 Laptop
    GPU``), ``current`` for this machine's first GPU, or ``any`` (:data:`EVERY`).  Raises :class:`ArgumentError` with a
    list of the known names for any other.
    """
    plain = _plain(name)
    if plain == "current":
        return current_gpu().target
    if plain == "any":
        return EVERY
    number = re.fullmatch(r"(?:sm_?)?(\d{1,2})\.?(\d)", name.strip().lower())
    if number:
        target = Target(int(number[1]), int(number[2]))
        if target in _CARDS:
            return target
    if plain in ARCHITECTURES:
        return ARCHITECTURES[plain]
    cards = {_plain(card): target for card, target in CARDS.items()}
    for shortened in (plain, _SUFFIXES.sub("", plain), _SUFFIXES.sub("", f"rtx{plain}")):
        if shortened in cards:
            return cards[shortened]
    raise ArgumentError(f"no GPU is called {name!r}: {_known()}")


def check_supported(target: Target, runtime: Runtime) -> None:
    """Raise :class:`ArgumentError` if the runtime cannot build for the target on this machine.

    TensorRT-RTX builds for every GPU it knows; TensorRT times kernels and so builds only for this machine's GPUs.
    """
    if runtime == "tensorrt-rtx":
        if not is_supported(target, runtime) and target != EVERY:
            known = ", ".join(map(str, RTX_TARGETS))
            raise ArgumentError(
                f"TensorRT-RTX builds no engines for {target}, only for {known}: use --runtime tensorrt on that machine"
            )
        return
    here = {device.target for device in present_gpus()}
    if target not in here:
        has = ", ".join(map(str, sorted(here))) or "none"
        raise ArgumentError(
            f"TensorRT builds only for the GPUs of this machine ({has}), not for {target}: build on the machine with"
            " that GPU, or use --runtime tensorrt-rtx"
        )


def is_supported(target: Target, runtime: Runtime) -> bool:
    """Return whether the runtime runs on GPUs of that compute capability."""
    return runtime == "tensorrt" or target in RTX_TARGETS


def usable_gpus(runtime: Runtime) -> list[Gpu]:
    """Return the GPUs of this machine that the runtime runs on."""
    return [gpu for gpu in present_gpus() if is_supported(gpu.target, runtime)]


def gpu_of(target: Target, runtime: Runtime) -> Gpu | None:
    """Return this machine's first GPU that can run engines for the target; ``None`` if there is none."""
    gpus = usable_gpus(runtime)
    return next((gpu for gpu in gpus if target in serving_targets(gpu, runtime)), None)


def serving_targets(gpu: Gpu, runtime: Runtime) -> tuple[Target, ...]:
    """Return the targets whose engines run on a GPU, its own compute capability first."""
    every = runtime == "tensorrt-rtx" and gpu.target >= EVERY_FROM
    return (gpu.target, EVERY) if every else (gpu.target,)


def current_gpu(index: int = 0) -> Gpu:
    """Return this machine's GPU of that index, from 0.  Raises :class:`BackendError` if there is none."""
    devices = list(present_gpus())
    if not devices:
        raise BackendError("this machine has no usable NVIDIA GPU: name one to build for, such as --gpu sm_89")
    if index not in range(len(devices)):
        raise BackendError(f"this machine has no GPU {index}: it has {len(devices)}, counted from 0")
    return devices[index]


def present_gpus() -> Iterable[Gpu]:
    """Return this machine's GPUs; none if there is no driver or ``cuda-bindings`` is not installed."""
    try:
        from cuda.bindings import runtime
    except ImportError:
        return []
    error, count = runtime.cudaGetDeviceCount()
    if error != runtime.cudaError_t.cudaSuccess:
        return []
    number = int(runtime.cudaDriverGetVersion()[1])
    driver = f"{number // 1000}.{number % 1000 // 10}"
    found = []
    for index in range(int(count)):
        _, properties = runtime.cudaGetDeviceProperties(index)
        found.append(
            Gpu(index, properties.name.decode().strip("\0"), Target(properties.major, properties.minor), driver)
        )
    return found


def _plain(name: str) -> str:
    """Return a card's name in lower case, without maker, series, memory, form and punctuation."""
    plain = re.sub(r"\b(\d+\s?gb|hbm\de?|sff|with)\b", "", name.lower())
    plain = re.sub(r"[\s_\-()]+", "", plain)
    return re.sub(r"^(nvidia|geforce|quadro|tesla)+", "", plain)


def _known() -> str:
    """Return a short list of the known names, for error messages."""
    names = ", ".join([*map(str, _CARDS), *ARCHITECTURES])
    return f"known are {names}, cards such as 'RTX 4090', 'A100' or 'T4', current, and any"
