# Everything needs only git, make and python3 with venv; the environment is made in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
PEERS = .venv-peers
OPENTRONS = .venv-opentrons
FUZZ = .venv-fuzz
MINUTES ?= 10
RESULTS ?= build/benchmarks

.PHONY: demo test test-all test-robots fuzz check format clean bench-surrogate bench-peers bench-patent \
	bench-campaigns bench-layout bench-noise bench-worklists bench-store bench-speed docs-figures

demo: $(READY)  ## run a whole campaign on the virtual lab
	$(BIN)/labloop demo

test: $(READY)  ## the test suite without the slow tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: $(READY)  ## every test
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-robots: $(READY) $(VENV)/.robots $(OPENTRONS)/.ready  ## worklists against the programs of others
	LABLOOP_ROBOTS=1 $(BIN)/python -m pytest -n 2 --dist worksteal tests/robots

fuzz: $(FUZZ)/.ready  ## the readers on spoilt files, for MINUTES in all; needs Linux or macOS
	OMP_NUM_THREADS=1 $(FUZZ)/bin/python -m fuzz --minutes $(MINUTES)

check: $(READY)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-surrogate: $(READY)  ## the surrogate against its rivals; 40 minutes, updates docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks.surrogate --out $(RESULTS)
	$(BIN)/python -m benchmarks.publish $(RESULTS)

bench-peers: $(READY) $(PEERS)/.ready  ## the same with BayBE; run bench-surrogate before it
	$(BIN)/python -m benchmarks.peers export $(RESULTS)/peers
	$(PEERS)/bin/python benchmarks/peers/predict.py $(RESULTS)/peers
	$(BIN)/python -m benchmarks.peers score $(RESULTS)/peers
	$(BIN)/python -m benchmarks.publish $(RESULTS)

bench-patent: $(READY)  ## the patent's claims; updates docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks.patent --out $(RESULTS) --publish

bench-campaigns: $(READY) $(PEERS)/.ready  ## whole campaigns; most of a day, can be taken up again
	$(BIN)/python -m benchmarks.campaigns --out $(RESULTS)
	$(BIN)/python -m benchmarks.campaign_summary $(RESULTS) --publish

bench-layout: $(READY)  ## layouts on plates with edge effects; updates docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks.layout --publish

bench-noise: $(READY)  ## wells before and after correction; 15 minutes, updates docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks.noise --publish

bench-worklists: $(READY)  ## a large round and its files for every robot; updates docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks.worklists --publish

bench-store: $(READY)  ## a campaign of 200 rounds: file and commands; updates docs/explanation/benchmarks.md
	$(BIN)/python -m benchmarks.store --publish

bench-speed: $(READY)  ## times and memory, from pretraining to a plate
	$(BIN)/python -m benchmarks.speed

docs-figures: $(READY)  ## the figures of docs/explanation/method.md; 10 minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m docs.figures

clean:
	rm -rf $(VENV) $(PEERS) $(OPENTRONS) $(FUZZ) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[blends,cluster]" --group dev
	touch $(READY)

$(PEERS)/.ready: benchmarks/peers/constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --constraint benchmarks/peers/constraints.txt baybe
	touch $(PEERS)/.ready

$(FUZZ)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --constraint constraints.txt --editable . "atheris>=3.0" hypothesis pytest
	touch $@

$(VENV)/.robots: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group robots
	touch $(VENV)/.robots

$(OPENTRONS)/.ready: tests/robots/opentrons-constraints.txt
	$(PYTHON) -m venv $(OPENTRONS)
	$(OPENTRONS)/bin/python -m pip install --quiet --constraint tests/robots/opentrons-constraints.txt opentrons
	touch $(OPENTRONS)/.ready
