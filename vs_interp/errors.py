"""The exceptions of vs-interp.

::

    VsInterpError (ValueError)       what was wrong, with the value, and what to do
     ├─ ArgumentError                an argument of a filter or a command
     ├─ CheckpointError              weights that do not fit, or that are no weights
     ├─ DownloadError                weights that cannot be fetched, or that arrived damaged
     ├─ ModelFileError               an ONNX file that is broken, has no spec, or does not say what it is
     ├─ ExportError                  an exported graph that differs from its network
     ├─ BackendError                 a runtime that is missing, or that failed
     ├─ SourceError                  a video that cannot be read
     ├─ EncoderError                 ffmpeg missing or failing
     └─ DatasetError                 training data that is missing or broken

Every message is one line, says what is wrong with the value in question, and what to do.
"""

from __future__ import annotations


class VsInterpError(ValueError):
    """Base of all errors that vs-interp raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class ArgumentError(VsInterpError):
    """An argument of a filter or a command that cannot be used."""


class CheckpointError(VsInterpError):
    """Weights of the wrong network, of wrong shapes, or in a file that is no checkpoint."""


class DownloadError(VsInterpError):
    """Weights that cannot be fetched, or that differ from what the catalogue says of them."""


class ModelFileError(VsInterpError):
    """An ONNX file that is broken, has no spec, or whose spec does not fit what it is used for."""


class ExportError(VsInterpError):
    """An exported graph that does not equal the network it came from."""


class BackendError(VsInterpError):
    """A runtime that is missing, cannot take the model, or failed at work."""


class SourceError(VsInterpError):
    """A video that cannot be opened or decoded."""


class EncoderError(VsInterpError):
    """ffmpeg is missing, or stopped with an error."""


class DatasetError(VsInterpError):
    """Training data that is missing, incomplete or broken."""
