# Everything runs inside .venv, which the first target that needs it sets up. Only make and python3 >= 3.11 are assumed.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help run test check bench fuzz format setup lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

run: $(READY) ## the demo on simulated venues: API and dashboard on 127.0.0.1:8080, no keys, no network
	@$(BIN)/aggregator demo $(ARGS)

test: $(READY) ## every test; ARGS="-k book" or ARGS="-m 'not slow'" chooses
	@$(BIN)/python -m pytest $(ARGS)

check: $(READY) ## format, lint, types, import floors
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest tests/architecture -q

bench: $(READY) ## the benchmarks, each beside a peer or the limit measured in the same run
	@$(BIN)/python -m tests.benchmarks $(ARGS)

fuzz: $(READY) ## throw broken input at every decoder until it stops by itself
	@$(BIN)/python -m tests.fuzz $(ARGS)

format: $(READY) ## rewrite the code as `make check` wants it
	@$(BIN)/python -m ruff check --fix --quiet . ; $(BIN)/python -m ruff format .

setup: $(READY) ## set up .venv, when constraints.txt or pyproject.toml changed
	@:

# The stamp goes first and comes back last: an interrupted set-up begins anew, a finished one is only brought up to date.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, '$(PYTHON)' is not: try make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up .venv from constraints.txt; this takes about a minute ..."
	@test -f $@ || $(PYTHON) -m venv --clear .venv
	@rm -f $@
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Keeps what is pinned where the ranges still allow it; ARGS=--upgrade takes the newest of everything.
lock: $(READY) ## resolve pyproject.toml into constraints.txt again
	@$(BIN)/python -m venv .venv/lock
	@.venv/lock/bin/python -m pip install -qq --disable-pip-version-check uv
	@sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml \
	  | .venv/lock/bin/uv pip compile pyproject.toml - --extra dev --universal --python-version 3.11 \
	      --generate-hashes --no-header --no-annotate --no-config --quiet -o constraints.txt $(ARGS)

clean: ## remove .venv and every cache
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
