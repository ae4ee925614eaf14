# Everything is set up from nothing: a virtual environment in .venv, with uv where it is installed, else with venv and pip. The
# first of these that is Python 3.11 or newer makes it: make demo PYTHON=/path/to/python3 names another one.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin
DEV := .venv/.installed-dev

FOUND = $(shell for python in $(PYTHON); do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
# Ctrl-C while Python starts would be a traceback of its own: the signals wait until tools/install.py takes them. Only GNU env can.
BLOCKED = $(shell env --block-signal=INT,TERM,HUP true 2>/dev/null && echo env --block-signal=INT,TERM,HUP)
INSTALL = $(BLOCKED) $(or $(FOUND),$(error Python 3.11 or newer is needed, and not found as $(PYTHON). Name yours: make PYTHON=/path/to/python3)) \
  -I tools/install.py

# Where it is set, each of hundreds of processes compiles all that it imports anew, and pytest every test module in every worker.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo check test test-outages test-stack faults search soak mutants lint bench clean
.DEFAULT_GOAL := demo

help: ## this list
	@sed -n 's/^\([a-z-]*\):.* ## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# Not a stamp of make: Ctrl-C would end in a line of make about an error.
demo: ## the whole path on this machine, without an account; 15 s, the first time 40
	@$(INSTALL) demo auth0-webhooks demo

$(DEV): pyproject.toml
	@$(INSTALL) dev

check: ## all that must pass before a change lands: lint and all kinds of tests; takes long
	$(MAKE) lint
	$(MAKE) test
	$(MAKE) faults
	$(MAKE) test-outages
	$(MAKE) test-stack

# Four at a time, also on two cores: most of a test is waiting. The broker's jars are fetched first, since that may take longer
# than a test may; without them Kafka tests say what is missing.
test: $(DEV) ## the tests, about 9 minutes
	@$(BIN)/python -m tests.support.kafka.broker >/dev/null 2>&1 || true
	$(BIN)/pytest -n 4 --dist worksteal

# Replicas that come and go, brokers and rule processes that are killed and frozen: most of it is waiting for sessions to end.
test-outages: $(DEV) ## replicas that come and go, brokers and rule processes that are killed and frozen: minutes
	$(BIN)/pytest -n 3 --dist worksteal -o timeout=300 -o faulthandler_timeout=290 -m outages

# The compose file in real containers; skipped where no Docker engine answers.
test-stack: $(DEV) ## the compose file in real containers; needs Docker
	$(BIN)/pytest -m stack -o faulthandler_timeout=290 tests/stack

# First what is pure, for long; then kills, freezes and outages with real processes.
faults: $(DEV) ## kills, freezes and outages with real processes: minutes
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n 2 --dist worksteal -o timeout=900 -o faulthandler_timeout=890 \
	  tests/unit/consumer tests/unit/shared/test_commit_metadata.py tests/unit/kafka_adapter/test_fast_records.py
	$(BIN)/pytest -n 2 --dist worksteal -o faulthandler_timeout=290 -m faults tests/faults

# New examples at each run; without what needs a broker.
search: $(DEV) ## all properties of tests/unit once more, with new random examples: about 4 minutes
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -n 2 --dist worksteal -o timeout=900 -o faulthandler_timeout=890 tests/unit

# The same for SOAK_MINUTES (10), everything at once; its sum becomes a row of docs/faults.md.
soak: $(DEV) ## the same for SOAK_MINUTES (10)
	$(BIN)/python -m tests.faults.soak

# Each patch in tests/mutants is a bug that the tests have to notice.
mutants: $(DEV) ## whether the tests notice known bugs
	$(BIN)/python -m tests.mutants.run

lint: $(DEV) ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# About 15 minutes; BENCH='--rounds 1 --seconds 2' is a quick look. With wrk and nginx there is a unit to compare machines by.
bench: $(DEV) ## the benchmarks, about 15 minutes
	$(BIN)/python -m bench $(BENCH)

clean: ## removes .venv and all caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
