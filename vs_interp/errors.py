"""The exceptions of vs-interp.

::

    VsInterpError (ValueError)       what was wrong, with the value, and what to do
     ├─ ArgumentError                an argument of a filter or a command
     ├─ CheckpointError              weights that do not fit the network, or a file that is not a checkpoint
     ├─ DownloadError                weights that cannot be downloaded, or that arrived damaged
     ├─ ModelFileError               an ONNX file that is broken, has no spec, or does not fit its use
     ├─ ExportError                  an exported graph that differs from its network
     ├─ BackendError                 a runtime that is missing, or that failed
     ├─ SourceError                  a video that cannot be read
     ├─ EncoderError                 ffmpeg missing or failing
     └─ DatasetError                 training data that is missing or broken

Every message is one line that says which value is wrong, why, and what to do about it.
"""

from __future__ import annotations

LONGEST = 2_000
"""Characters of a message; of a longer one, such as one that quotes a damaged file, the middle is left out."""


class VsInterpError(ValueError):
    """Base of all errors that vs-interp raises on purpose."""

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}")


class ArgumentError(VsInterpError):
    """An argument of a filter or a command that cannot be used."""


class CheckpointError(VsInterpError):
    """Weights of another network or of the wrong shapes, or a file that is not a checkpoint."""


class DownloadError(VsInterpError):
    """Weights that cannot be downloaded, or whose size or hash differs from the catalogue's."""


class ModelFileError(VsInterpError):
    """An ONNX file that is broken, has no spec, or whose spec does not fit the use at hand."""


class ExportError(VsInterpError):
    """An exported graph whose results differ from those of the network it came from."""


class BackendError(VsInterpError):
    """A runtime that is missing, does not support the model, or failed while running it."""


class SourceError(VsInterpError):
    """A video that cannot be opened or decoded."""


class EncoderError(VsInterpError):
    """ffmpeg is missing, or stopped with an error."""


class DatasetError(VsInterpError):
    """Training data that is missing, incomplete or broken."""
