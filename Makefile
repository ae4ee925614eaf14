# Everything is set up from nothing: a virtual environment in .venv, with uv where it is installed, else with venv and pip.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS ?= dev,speed

.PHONY: demo test lint clean
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

test: $(BIN)/.installed
	$(BIN)/pytest

lint: $(BIN)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
