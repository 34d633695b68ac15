# On a fresh clone each of these, alone, makes .venv and runs:
#   make demo     HDF5 becomes a Dataset and a torch view with the same values; draws demo.png; there and back to a Hub
#   make test     the tests, doctests included; ARGS="-k name" is handed to pytest
#   make check    lint, types and tests
#   make compat   a smoke suite on the oldest and newer versions of datasets, each in .venv-compat/VERSION
#   make frameworks  training frameworks over a view, in .venv-frameworks, which takes the rest from .venv
#   make writers  reads files that older pandas and anndata write, each in .venv-writers/YEAR
#   make distributed  conversions on Ray and Dask, in .venv-distributed, which takes the rest from .venv
#   make docs     the manual as a site, build/site, with warnings as errors
#   make bench    reading side by side with h5py, a hand-written class and others; ARGS="-k gzip" runs a part
#   make picture  the README's picture of ratios, out of docs/explanation/figures.json
#   make fuzz     2,000 broken files, each read in a process of its own; ARGS="--count 100 --seed 5"
# And: make lint, make types, make format, make clean; PYTHON=python3.12 chooses the interpreter of .venv.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints-dev.txt

# The oldest version, the first without scripts, one in between and the newest.
COMPAT := 3.6.0 4.0.0 4.8.5 5.2.0
COMPAT_TESTS := tests/compat/smoke.py tests/test_registry_extensions.py tests/test_nested.py tests/cache tests/loading_scripts

# The versions of pandas and anndata of each year; .venv has the newest. Wheels of 2022 are for Python 3.11 only.
WRITERS := 2022 2023 2024 2025 2026

.PHONY: demo test check compat distributed frameworks writers lint types format clean bench picture fuzz docs
.NOTPARALLEL:

demo: $(INSTALLED)
	$(BIN)/hf-h5 demo
	$(BIN)/python -m tests.hub.demo demo-output/digits.h5

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: lint types test

# Warnings are no errors here: old versions of datasets warn about new ones of their requirements.
compat: $(COMPAT:%=.venv-compat/%/.installed)
	@set -e; for version in $(COMPAT); do \
	    echo "== datasets $$version"; \
	    .venv-compat/$$version/bin/python -m pytest -q -n $(WORKERS) -W default $(COMPAT_TESTS) $(ARGS); \
	done

# Warnings are no errors here either: each framework has its own.
frameworks: .venv-frameworks/.installed
	.venv-frameworks/bin/python -m pytest -n $(WORKERS) -W default tests/frameworks $(ARGS)

# The file is named, as `make test`, which has no environments but .venv, must not find it.
writers: $(WRITERS:%=.venv-writers/%/.installed)
	$(BIN)/python -m pytest -n $(WORKERS) -W default tests/conventions/versions/read_back.py $(ARGS)

# One process: the clusters have as many cores as there are.
distributed: .venv-distributed/.installed
	.venv-distributed/bin/python -m pytest -W default tests/distributed/engines hf_h5/distributed $(ARGS)

bench: $(INSTALLED)
	$(PIP) -r tests/benchmarks/requirements.txt
	$(PIP) --no-deps -r tests/benchmarks/requirements-alone.txt
	$(BIN)/python -m pytest -c tests/benchmarks/pytest.ini tests/benchmarks $(ARGS)

picture: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.ratios_picture

# NO_MKDOCS_2_WARNING: the theme tells of its successor, which is no warning about these pages.
docs: $(INSTALLED)
	$(PIP) --no-build-isolation -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz.run $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-compat .venv-distributed .venv-frameworks .venv-writers .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

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

.venv-compat/%/.installed: tests/compat/constraints-%.txt pyproject.toml
	@echo "making .venv-compat/$*"
	$(PYTHON) -m venv .venv-compat/$*
	.venv-compat/$*/bin/python -m pip install --quiet --disable-pip-version-check -c $< \
	    hatchling hypothesis pillow pytest pytest-timeout pytest-xdist
	.venv-compat/$*/bin/python -m pip install --quiet --disable-pip-version-check -c $< --no-build-isolation -e .
	@touch $@

PACKAGES := -c "import sysconfig; print(sysconfig.get_path('purelib'))"

# Frameworks and engines are not in .venv, where their requirements would hold back others; its packages, torch among
# them, are seen from here by a .pth file.
.venv-frameworks/.installed: tests/frameworks/requirements.txt
.venv-distributed/.installed: tests/distributed/engines/requirements.txt
.venv-frameworks/.installed .venv-distributed/.installed: $(INSTALLED)
	@echo "making $(@D)"
	$(PYTHON) -m venv --clear $(@D)
	echo "import site; site.addsitedir('$$($(BIN)/python $(PACKAGES))')" \
	    > $$($(@D)/bin/python $(PACKAGES))/borrowed.pth
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-dev.txt \
	    -r $(filter %/requirements.txt,$^)
	@touch $@

# Without pip, which takes a third of the time; that of .venv installs into them.
.venv-writers/%/.installed: tests/conventions/versions/requirements-%.txt $(INSTALLED)
	@echo "making .venv-writers/$*"
	$(BIN)/python -m venv --clear --without-pip .venv-writers/$*
	$(BIN)/python -m pip --python .venv-writers/$*/bin/python install --quiet --disable-pip-version-check --no-deps \
	    --only-binary :all: -r $<
	@touch $@
