# Everything needs only git, make and python3 with venv; the environment is made in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo test test-all check format clean

demo: $(READY)  ## run a whole campaign on the virtual lab
	$(BIN)/labloop demo

test: $(READY)  ## the test suite without the slow tests
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(READY)  ## every test
	$(BIN)/python -m pytest -n 2

check: $(READY)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[blends]" --group dev
	touch $(READY)
