# make demo: interpolate the bundled clip.  make test: install everything and run all tests.
# make gpu-kit: pack what benchmarks/gpu.py needs on a bare machine with a GPU and PyTorch, see tools/gpu_kit.py.
# Needs Python 3.12 or newer; `make demo PYTHON=/path/to/python3.12` names one.

PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test check gpu-kit clean

demo: .venv/serve
	$(BIN)/vs-interp demo --output demo-output

test: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: .venv/dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python -m tools.check_types

gpu-kit: .venv/dev
	$(BIN)/python -m tools.gpu_kit

clean:
	rm -rf .gpu-kit .venv demo-output build *.egg-info

.venv/serve: .venv/python pyproject.toml constraints.txt
	$(INSTALL) .
	@touch $@

.venv/dev: .venv/python pyproject.toml constraints.txt
	$(INSTALL) ".[dev]"
	@touch $@ .venv/serve

.venv/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || { \
		echo "vs-interp needs Python 3.12 or newer: install it, or name one with make PYTHON=/path/to/python3.12" >&2; exit 2; }
	"$(PYTHON)" -m venv .venv
	@touch $@
