# Everything is set up from nothing: a virtual environment in .venv, with uv where it is installed, else with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS ?= dev,speed

.PHONY: bench demo test test-outages test-stack faults soak mutants lint clean
.DEFAULT_GOAL := demo

$(BIN)/.installed: pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) .venv; \
	  uv pip install --quiet --python $(BIN)/python --editable '.[$(EXTRAS)]'; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'; \
	fi
	@touch $@

demo: $(BIN)/.installed
	@$(BIN)/auth0-webhooks demo

# Three at a time, also on two cores: most of a test is waiting. The broker's jars are fetched first, since that may take longer
# than a test may; without them Kafka tests say what is missing.
test: $(BIN)/.installed
	@$(BIN)/python -m tests.support.kafka.broker >/dev/null 2>&1 || true
	$(BIN)/pytest -n 3 --dist worksteal

# Replicas that come and go, brokers that are killed and frozen: minutes, most of them waiting for sessions to end.
test-outages: $(BIN)/.installed
	$(BIN)/pytest -m outages

# The compose file in real containers; skipped where no Docker engine answers.
test-stack: $(BIN)/.installed
	$(BIN)/pytest -m stack -o faulthandler_timeout=290 tests/stack

# First what is pure, for long; then kills, freezes and outages with real processes.
faults: $(BIN)/.installed
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -n 2 --dist worksteal -o timeout=900 -o faulthandler_timeout=890 \
	  tests/unit/consumer tests/unit/shared/test_commit_metadata.py tests/unit/kafka_adapter/test_fast_records.py
	$(BIN)/pytest -n 2 --dist worksteal -o faulthandler_timeout=290 -m faults tests/faults

# The same for SOAK_MINUTES (10), everything at once; its sum becomes a row of docs/faults.md.
soak: $(BIN)/.installed
	$(BIN)/python -m tests.faults.soak

# Each patch in tests/mutants is a bug that the tests have to notice.
mutants: $(BIN)/.installed
	$(BIN)/python -m tests.mutants.run

lint: $(BIN)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# About 15 minutes; BENCH='--rounds 1 --seconds 2' is a quick look. With wrk and nginx there is a unit to compare machines by.
bench: $(BIN)/.installed
	$(BIN)/python -m bench $(BENCH)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
