"""``python -m vs_interp``, which ``torchrun -m`` can start, too."""

from vs_interp.cli.start import start

start()
