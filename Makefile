PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench

# The tests start hundreds of processes: each would compile the whole tree anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test soak conformance check format bench clean

demo: $(VENV)/.installed  ## the whole main job on the embedded default
	@$(BIN)/tollkeeper demo

test: $(VENV)/.installed-dev  ## every test, on real servers from wheels
	@$(BIN)/python -m pytest -n auto --dist worksteal -m "not soak"

soak: $(VENV)/.installed-dev  ## the slow fault tests
	@$(BIN)/python -m pytest -n auto --dist worksteal --durations 15 -m soak

conformance: $(VENV)/.installed-dev  ## write docs/conformance.md from a run of the adapters' contracts
	@$(BIN)/python -m pytest tests/adapters -m "not soak" --conformance docs/conformance.md

check: $(VENV)/.installed-dev  ## style, types and the direction of dependencies
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests benchmarks
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(BENCH)/.installed  ## side by side with what a user would pick instead
	@$(BENCH)/bin/python -m benchmarks

clean:
	rm -rf $(VENV) $(BENCH) build dist *.egg-info src/*.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Tollkeeper needs Python 3.11 or newer; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

# What the demo uses, and no more: the SDKs of providers are many and large.
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "installing tollkeeper[cli,jsonschema,pocketsphinx] into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cli,jsonschema,pocketsphinx]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml
	@echo "installing tollkeeper[dev] into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

# What is compared with stays out of the other environment: its packages are many and large.
$(BENCH)/.installed: pyproject.toml
	@echo "installing tollkeeper[bench] into $(BENCH) …"
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@
