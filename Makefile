# On a fresh clone each of these, alone, makes .venv and runs:
#   make demo     HDF5 becomes a Dataset and a torch view with the same values; draws demo.png
#   make test     the tests, doctests included; ARGS="-k name" is handed to pytest
#   make check    lint, types and tests: what .ci/run runs
# And: make lint, make types, make format, make clean; PYTHON=python3.12 chooses the interpreter of .venv.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-dev.txt

.PHONY: demo test check lint types format clean
.NOTPARALLEL:

demo: $(INSTALLED)
	$(BIN)/hf-h5 demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: lint types test

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# The stamp is written last, so an install that was cut short is done again. The build back end comes first and
# --no-build-isolation second: constraints do not reach an isolated build.
$(INSTALLED): pyproject.toml constraints-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "hf-h5 needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)" >&2; \
	    echo "  hint: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "making $(VENV): a minute or more the first time, most of it torch"
	$(PYTHON) -m venv $(VENV)
	$(PIP) hatchling
	$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@
