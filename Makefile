# make demo   see it work: degrade and restore the photos in examples/photos, write demo/before_after.png
# make test   everything that must hold before a change is accepted (a few minutes)
# make check  the same without the wheel and the demo
# make test-ui  the page of `adair ui` in headless Chromium, which must be installed (adds Gradio, some 400 MB)
# make docs   the documentation site, in docs/_build/html
# make test-cluster  two nodes of a Ray cluster on this machine, and an object store (some minutes, 400 MB more to install)
# make studies  a smoke test of the paper's experiments (a few minutes)
# Each is enough on a fresh machine with python3 (3.11 to 3.13) and make: what is missing is installed into .venv.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11
SUITABLE := import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))

.NOTPARALLEL:
.PHONY: help demo test test-ui check lint types tests test-cluster docs wheel studies clean

help:
	@sed -n 's/^# \(make\)/\1/p' Makefile

demo: $(VENV)/base
	$(BIN)/python examples/demo.py

test: check docs wheel demo

check: lint types tests

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

# One thread a worker: the workers share the cores, and small tensors gain nothing from threads.
tests: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 4

# Gradio is large, so it has an environment of its own, on top of the other one.
test-ui: .venv-ui/ready
	PYTHONPATH="$(CURDIR)/src" OMP_NUM_THREADS=1 .venv-ui/bin/python -m pytest -q -W default tests/ui

.venv-ui/ready: Makefile | $(VENV)/dev
	$(BIN)/python -m venv .venv-ui
	$(BIN)/python -c "import site; print(site.getsitepackages()[0])" > \
		"$$(.venv-ui/bin/python -c 'import site; print(site.getsitepackages()[0])')/below.pth"
	.venv-ui/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt gradio playwright==1.65.2
	@touch $@

# A warning, such as a link that leads nowhere, is an error.
docs: $(VENV)/dev
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

wheel: $(VENV)/dev
	$(BIN)/python tools/check_wheel.py

$(VENV)/bin/python:
	@for python in $(PYTHONS); do \
		if $$python -c "$(SUITABLE)" 2>/dev/null; then \
			echo "creating $(VENV) with $$python ($$($$python --version))"; \
			exec $$python -m venv $(VENV); \
		fi; \
	done; \
	echo "adair needs Python 3.11, 3.12 or 3.13 with venv; python3 here is: $$(python3 --version 2>&1)." >&2; \
	echo "Install one of them, or name it: make PYTHON=/path/to/python3.12 demo" >&2; \
	exit 1

$(VENV)/base: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing adair and what it needs (torch is the large part)"
	$(PIP) -e .
	@touch $@

$(VENV)/dev: $(VENV)/base
	$(PIP) -e '.[dev]'
	@touch $@

# Apart from the other tests: Ray, Arrow and what S3 needs are 400 MB, and starting a cluster takes longer than the suite.
# The object store of the tests needs an older python-dateutil than constraints.txt pins for the plots.
test-cluster: $(VENV)/dev
	$(PIP) -e '.[cluster]'
	$(BIN)/python -m pip --disable-pip-version-check install --quiet 'moto[server,s3]' s3fs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/cluster

# All studies with networks that have hardly been trained: shows that they run, and nothing else (a few minutes).
studies: $(VENV)/base
	$(BIN)/adair study all --budget tiny --photos examples/photos -o demo/studies

clean:
	rm -rf $(VENV) .venv-ui build dist demo docs/_build .mypy_cache .pytest_cache .ruff_cache
