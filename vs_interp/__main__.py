"""Entry point of ``python -m vs_interp`` and of ``torchrun -m vs_interp``."""

from vs_interp.cli.start import start

start()
