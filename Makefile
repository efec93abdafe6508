# Two commands need nothing but Python 3.11 with pip: `make pi` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests at once. Twice as many as there are cores saves a fifth of the time, where nothing else runs.
AT_ONCE ?= auto

.PHONY: help pi test test-slow test-again test-stack check bundle bench bench-full clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

pi: $(VENV)/installed  ## set everything up and run the first experiment, watched live
	$(BIN)/howdah start examples/pi/experiment.yaml --watch

test: $(VENV)/installed-dev  ## set everything up and run all checks and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -P -m pytest --numprocesses $(AT_ONCE) --dist loadfile $(PYTEST)

check: test

test-slow: $(VENV)/installed-dev  ## the tests that take long: whole scenarios, of which the others show the parts (some minutes)
	$(BIN)/python -P -m pytest -m slow --numprocesses $(AT_ONCE) --dist loadfile $(PYTEST)

test-again: $(VENV)/installed-dev  ## run what failed the last time, one by one
	$(BIN)/python -P -m pytest --last-failed --last-failed-no-failures none --numprocesses 0 $(PYTEST)

test-stack: $(VENV)/installed-dev  ## bring the production stack up in containers of its own, kill what keeps it, look (5 minutes)
	$(BIN)/python -P -m pytest tests/deploy/bring_up.py --numprocesses 0 --timeout 900

bundle: $(VENV)/installed-dev  ## run all tests of the example bundle, its scheduler's contract among them
	PYTHONPATH=examples/bundle $(BIN)/python -P -m pytest -c examples/bundle/pyproject.toml -p no:cacheprovider examples/bundle/tests

bench: $(VENV)/installed-dev  ## measure how fast it is, into benchmarks/results (a quarter of an hour)
	$(BIN)/python -m benchmarks $(BENCH)

bench-full: $(VENV)/installed-dev  ## the same with ten thousand jobs (an hour and a half)
	$(BIN)/python -m benchmarks --full $(BENCH)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "howdah needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(VENV)/installed $@

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
