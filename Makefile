# make demo: a master dark from simulated raws. make test: the tests. make test-slow: the long ones.
# make bench: speed beside other programs (BENCH=--quick: small frames, BENCH=--help: more).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
WORKERS ?= auto
PIP := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test test-slow bench lint wheel-check clean

help:
	@sed -n '1,2s/^# //p' Makefile

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python setup.py pyproject.toml constraints.txt
	$(PIP) install --quiet --editable '.[test]'
	@touch $@

demo: $(VENV)/.installed
	rm -rf $(DEMO)
	$(BIN)/soxsdark simulate $(DEMO)/raw --arm NIR --frames 5
	$(BIN)/soxsdark mdark $(DEMO)/raw/darks.sof --output $(DEMO)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) -q -m "not slow"

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) -q -m slow

bench: $(VENV)/.installed
	$(BIN)/python -m bench $(BENCH)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The built wheel in an empty environment, run outside the checkout.
wheel-check: $(VENV)/.installed
	rm -rf build dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build --wheel --outdir dist .
	sh tests/wheel_check.sh "$(CURDIR)" "$(PYTHON)"

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
