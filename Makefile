# Two commands on a fresh machine: make demo, make test. make help lists the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests keep torch to one thread: a process a core, each with whole files, so that what a file prepares is made once.
JOBS ?= 2
TESTS := -m pytest --numprocesses $(JOBS) --dist loadfile

.PHONY: help venv demo test test-oldest test-newest lint format benchmark-quick benchmark results benchmark-digits benchmark-fashion benchmark-data readme clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## build .venv with the pinned set-up

$(STAMP): requirements-any.txt requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "partedvae needs Python 3.11 or newer; name one with make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-any.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: venv  ## train on 1,797 real digits, 5 labels a class; ends with the accuracy and a report
	$(BIN)/partedvae train digits --labels-per-class 5 --holdout 0.2 --out runs/demo --overwrite

test: venv  ## run the whole test suite, JOBS=2 processes
	$(BIN)/python $(TESTS)

test-oldest:  ## run the suite with the oldest versions allowed, in .venv-oldest (PINS="torch==2.13.0" for others)
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) .ci/oldest.py $(PINS) > .venv-oldest/oldest.txt
	.venv-oldest/bin/pip install --quiet --editable '.[dev]' --constraint .venv-oldest/oldest.txt
	.venv-oldest/bin/python $(TESTS) -o filterwarnings= --deselect tests/test_audit.py

test-newest:  ## run the suite with the newest versions there are, in .venv-newest (PINS="torch==2.13.0" for others)
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --editable '.[dev]' $(PINS)
	.venv-newest/bin/python $(TESTS) -o filterwarnings= --deselect tests/test_audit.py

lint: venv  ## check style, types, and the pinned versions for known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/audit.py

format: venv  ## put the code into the style that lint checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark-quick: venv  ## the paper's method and its rivals on the digits, 3 seeds, into runs/ (about a quarter of an hour on two cores)
	$(BIN)/python benchmarks/grid.py --tasks digits --without "our recipe" "our recipe, calibrated" "with fitted prior" --out runs/benchmark-quick
	$(BIN)/python benchmarks/results.py --cells runs/benchmark-quick --out runs/benchmark-quick

benchmark: venv  ## every method on every task (hours; goes on where it was stopped; needs Debian's dataset-fashion-mnist)
	$(BIN)/python benchmarks/grid.py

results: venv  ## write docs/results.md from what make benchmark left
	$(BIN)/python benchmarks/results.py

benchmark-digits: venv  ## digits, 5 labels a class, 5 seeds, beside two baselines
	$(BIN)/python benchmarks/digits.py

benchmark-fashion: venv  ## the published recipe on Fashion-MNIST (needs Debian's dataset-fashion-mnist; about half an hour)
	$(BIN)/python benchmarks/fashion_mnist.py

benchmark-data: venv  ## what reading data costs: batches, folders, rows that do not fit into memory (16 GB of disk)
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/sprites.py

readme: venv  ## write the tables of evidence into README.md and docs/ from the results
	$(BIN)/python benchmarks/readme.py

clean:  ## remove the environments and runs
	rm -rf $(VENV) .venv-oldest .venv-newest runs
