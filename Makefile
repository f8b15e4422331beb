# Shorthands; README.md and .ci/run have the same commands in full.
PYTHON ?= python3
VENV := .venv

.PHONY: run test lint clean

run: $(VENV)/ready
	$(VENV)/bin/thriftserver run --idl idl/calculator.thrift --handler handlers.calculator:Calculator

test: $(VENV)/ready
	$(VENV)/bin/pytest

lint: $(VENV)/ready
	$(VENV)/bin/pip install -q -e '.[lint]'
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(VENV)/ready: setup.cfg setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
