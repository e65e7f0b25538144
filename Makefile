# make demo: interpolate the bundled clip.  make test: install everything and run all tests.
# make gpu-kit: pack what benchmarks/gpu.py needs on a bare machine with a GPU and PyTorch, see tools/gpu_kit.py.
# Needs Python 3.12 or newer; `make demo PYTHON=/path/to/python3.12` names one.

PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
# Bytecode is kept even where the environment says otherwise: each process would compile all tests anew.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: demo test test-fast test-published test-lowest check docs smoke gpu-kit clean

demo: .venv/serve
	$(BIN)/vs-interp demo --output demo-output

test: .venv/dev
	$(PYTEST)

# make test-fast: all but the slow tests and those of a GPU.
test-fast: .venv/dev
	$(PYTEST) -m "not slow and not gpu"

# make test-published: everything, and the tests of published weights, which are fetched (some hundred megabytes).
test-published: .venv/dev
	$(PYTEST) --published

# make test-lowest: the fast tests with the oldest versions that pyproject.toml allows.
test-lowest: BIN := .lowest/env/bin
test-lowest:
	rm -rf .lowest && "$(PYTHON)" -m venv .lowest/installer && "$(PYTHON)" -m venv .lowest/env
	.lowest/installer/bin/python -m pip install --quiet --disable-pip-version-check uv
	.lowest/installer/bin/uv pip install --quiet --python .lowest/env/bin/python --resolution lowest-direct --editable ".[dev]"
	$(PYTEST) -m "not slow and not gpu"

# make smoke PYTHON=python3.13: the wheel in a clean environment, without constraints, away from the checkout.
smoke:
	rm -rf .smoke build *.egg-info && "$(PYTHON)" -m venv .smoke/env
	.smoke/env/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir .smoke .
	.smoke/env/bin/python -m pip install --quiet --disable-pip-version-check .smoke/*.whl
	cp tools/smoke.vpy .smoke/
	cd .smoke && PATH="$$PWD/env/bin:$$PATH" && vs-interp --version && vs-interp weights list && vs-interp doctor \
		&& vs-interp demo && vspipe -c y4m smoke.vpy smoke.y4m && ls -l smoke.y4m demo-output

# make docs: the pages of docs/ into build/site; strict, and nothing is fetched.
docs: .venv/docs
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

check: .venv/dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python -m tools.check_types

gpu-kit: .venv/dev
	$(BIN)/python -m tools.gpu_kit

clean:
	rm -rf .gpu-kit .lowest .smoke .venv demo-output build *.egg-info

.venv/serve: .venv/python pyproject.toml constraints.txt
	$(INSTALL) .
	@touch $@

.venv/dev: .venv/python pyproject.toml constraints.txt
	$(INSTALL) ".[dev]"
	@touch $@ .venv/serve

.venv/docs: .venv/python pyproject.toml constraints.txt
	$(INSTALL) ".[docs]"
	@touch $@ .venv/serve

.venv/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || { \
		echo "vs-interp needs Python 3.12 or newer: install it, or name one with make PYTHON=/path/to/python3.12" >&2; exit 2; }
	"$(PYTHON)" -m venv .venv
	@touch $@
