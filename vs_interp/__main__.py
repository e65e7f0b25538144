"""``python -m vs_interp``, which ``torchrun -m`` can start, too."""

from .cli.main import main

main()
