"""Reference points for engines: the speed of the same network in eager PyTorch, and the limit set by its operations.

    python benchmarks/torch_eager.py super-slomo --size 1920x1080 --config '{"width": 8, "flow_scales": [4, 2]}'

The network has random weights, which do not change its speed; half precision is PyTorch's autocast.  Each frame is a
run of the whole network.  The floor is the number of frames per second that the device could make if it did nothing but
the network's multiplications, at the rate that it reaches in one large matrix product of the same type.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from vs_interp.networks.base import Network
from vs_interp.registry import network_class


def seconds_of(work: Callable[[], object], device: torch.device, least: float = 3.0) -> float:
    """Return the mean duration of a call in seconds, over calls that take at least ``least`` seconds together."""

    def finish() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(2):
        work()
    finish()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < least:
        work()
        finish()
        calls += 1
    return (time.perf_counter() - start) / calls


def inputs_of(network: Network, size: tuple[int, int], device: torch.device, kind: torch.dtype) -> list[torch.Tensor]:
    """Return noise as the frames of a window, padded as the network needs, and a time if it takes one."""
    spec = network.spec
    shape = 1, spec.window.channels, spec.padded(size[1]), spec.padded(size[0])
    frames = [torch.rand(shape, device=device).to(kind) for _ in spec.frame_inputs]
    return [*frames, torch.full((1, 1, 1, 1), 0.5, device=device, dtype=kind)] if spec.takes_time else frames


@torch.inference_mode()
def measure(
    network: Network, size: tuple[int, int], device: torch.device, half: bool, *, seconds: float = 3.0
) -> dict[str, float]:
    """Return frames per second in eager mode, operations per frame, the rate of matrix products, and the floor.

    The network runs for ``seconds``.
    """
    kind = torch.float16 if half else torch.float32
    inputs = inputs_of(network, size, device, torch.float32)
    with torch.autocast(device.type, torch.float16, enabled=half):
        each = seconds_of(lambda: network(*inputs), device, seconds)
    rate = matrix_rate(device, kind)
    pictures, operations = network.spec.pictures, operations_of(network, size, device)
    return {
        "fps": pictures / each,
        "operations_per_frame": operations / pictures,
        "matrix_rate": rate,
        "floor_fps": pictures * rate / operations,
    }


@functools.cache
def matrix_rate(device: torch.device, kind: torch.dtype) -> float:
    """Return the operations per second that the device reaches in one large matrix product."""
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.rand(side, side, device=device).to(kind)
    return 2 * side**3 / seconds_of(lambda: matrix @ matrix, device, 1.0)


def operations_of(network: Network, size: tuple[int, int], device: torch.device) -> float:
    """Return the multiplications and additions of one run, counted at a small size and scaled by the pixels."""
    small = inputs_of(network, (256, 256), device, torch.float32)
    with FlopCounterMode(display=False) as counter:
        network(*small)
    spec = network.spec
    counted = spec.padded(256) ** 2
    return counter.get_total_flops() * spec.padded(size[0]) * spec.padded(size[1]) / counted


def main() -> None:
    """Print a line of JSON for each precision."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("network")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--config", default="{}", help="The network's configuration, as JSON.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    device = torch.device(given.device)
    torch.backends.cudnn.benchmark = True
    network = network_class(given.network).from_config(json.loads(given.config)).eval().to(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    for half in (False, True) if device.type == "cuda" else (False,):
        figures = measure(network, (width, height), device, half)
        print(json.dumps({"network": given.network, "size": given.size, "device": name, "half": half, **figures}))


if __name__ == "__main__":
    main()
