"""Checkpoints of a run: weights to export, and the state from which the run can be resumed exactly.

``step-00001000.safetensors``
    The averaged weights, with network and configuration in the metadata: the input of ``vs-interp export``.
``step-00001000.state``
    Also in safetensors format: weights, average, optimiser and random state, and the rest as JSON in the metadata.
``best.safetensors``
    The averaged weights with the best validation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vs_interp.errors import CheckpointError
from vs_interp.files import write_whole

WEIGHTS, STATE, BEST = ".safetensors", ".state", "best.safetensors"


@dataclass(frozen=True)
class State:
    """The state of a run: tensors by dotted name (``optimiser.0.exp_avg``), and everything else as JSON values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a run in ``folder``, of which the last ``keep`` are kept."""

    folder: Path
    keep: int

    def steps(self) -> list[int]:
        """Return the steps of the checkpoints in the folder, ascending."""
        found = (path.stem.removeprefix("step-") for path in self.folder.glob(f"step-*{STATE}"))
        return sorted(int(step) for step in found if step.isdecimal())  # others are the user's, such as copies

    def path(self, step: int) -> Path:
        """Return the path of the weights of a step."""
        return self.folder / f"step-{step:08}{WEIGHTS}"

    def write(self, step: int, state: State, weights: dict[str, Tensor], about: dict[str, Any]) -> Path:
        """Write a checkpoint, completely or not at all, remove the oldest, and return the path of the weights.

        Raises :class:`CheckpointError` if it cannot be written; earlier checkpoints are unaffected.
        """
        path = self.path(step)
        self._save(path, weights, about)
        self._save(path.with_suffix(STATE), state.tensors, {"state": state.values})
        for old in self.steps()[: -self.keep]:
            self.path(old).with_suffix(STATE).unlink()
            self.path(old).unlink(missing_ok=True)
        return path

    @property
    def best(self) -> Path:
        """The path of the best weights, which exist after the first validation."""
        return self.folder / BEST

    def write_best(self, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
        """Write the best weights so far."""
        self._save(self.best, weights, about)

    def read_last(self) -> State | None:
        """Return the state of the last readable checkpoint; ``None`` if there are no checkpoints.

        Raises :class:`CheckpointError` if there are some, but none can be read.
        """
        for step in reversed(self.steps()):
            path = self.path(step).with_suffix(STATE)
            try:
                with safe_open(path, framework="pt") as file:
                    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
                    return State(tensors, json.loads((file.metadata() or {})["state"]))
            except (SafetensorError, OSError, KeyError, json.JSONDecodeError):
                continue
        if self.steps():
            raise CheckpointError(f"none of the checkpoints in {self.folder} can be read: start again elsewhere")
        return None

    def _save(self, path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
        try:
            content = save({name: t.detach().contiguous().cpu() for name, t in tensors.items()}, metadata)
            write_whole(path, in_order(content))
        except OSError as error:
            raise CheckpointError(f"{path} cannot be written ({error.strerror}): make room and resume") from error


def in_order(content: bytes) -> bytes:
    """Return a safetensors file with its metadata sorted; the library writes them in a different order every time."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def optimiser_state(optimiser: torch.optim.Optimizer) -> State:
    """Split an optimiser's state into tensors and JSON values."""
    state = optimiser.state_dict()
    tensors = {f"{index}.{name}": t for index, entry in state["state"].items() for name, t in entry.items()}
    return State(tensors, {"param_groups": state["param_groups"]})


def load_optimiser(optimiser: torch.optim.Optimizer, state: State) -> None:
    """Restore an optimiser from :func:`optimiser_state`.

    Its tensors get the memory layout of the weights, since fused steps walk through both by address.
    """
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.tensors.items():
        index, _, field = name.partition(".")
        entries.setdefault(int(index), {})[field] = tensor
    optimiser.load_state_dict({"state": entries, "param_groups": state.values["param_groups"]})
    for weight, entry in optimiser.state.items():
        alike = {name: tensor for name, tensor in entry.items() if tensor.shape == weight.shape and tensor.dim()}
        entry.update({name: torch.empty_like(weight).copy_(tensor) for name, tensor in alike.items()})


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors, each named ``prefix.name``."""
    return ((f"{prefix}.{name}", tensor) for name, tensor in tensors.items())


def below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors named ``prefix.name``, as ``name``: the inverse of :func:`prefixed`."""
    return {n.removeprefix(f"{prefix}."): tensor for n, tensor in tensors.items() if n.startswith(f"{prefix}.")}
