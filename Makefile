# Two commands on a fresh machine: `make demo` and `make test`. Everything else is for developers.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEER := $(VENV)-adapters

.DEFAULT_GOAL := help
.PHONY: help demo test lint types format check docs links bench golden matrix constraints clean

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# torch goes first and alone: the default build of an unpinned torch pulls gigabytes of CUDA libraries.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Paretune needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# `adapters` needs another transformers than Paretune, so it lives beside it. Only `make golden` asks for it.
$(PEER)/.installed: tests/golden/constraints.txt
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --constraint $< torch
	$(PEER)/bin/python -m pip install --quiet --constraint $< adapters
	@touch $@

demo: $(VENV)/.installed ## Compare nine methods on real sentences; ends with the path of the page.
	@$(BIN)/paretune demo

test: $(VENV)/.installed-dev ## Run the tests, on every core.
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: $(VENV)/.installed-dev ## Check style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## Check types.
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## Fix style.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types links test ## All that CI runs.

docs: $(VENV)/.installed-dev ## Build the documentation as a site, site/docs/, and the published comparison beside it, site/.
	$(BIN)/python -m docs.builder --out site/docs
	$(BIN)/paretune report reports/leaderboards reports/imported --out site

links: $(VENV)/.installed-dev ## Build the documentation and check every link of it; seconds.
	$(BIN)/python -m docs.builder --out build/docs-checked

bench: $(VENV)/.installed-dev $(PEER)/.installed ## Time Paretune beside its peers; most of an hour on an idle machine.
	$(BIN)/python tests/benchmarks/training_step.py
	$(BIN)/python tests/benchmarks/step.py
	$(BIN)/python tests/benchmarks/peers.py --adapters $(PEER)/bin/python
	$(BIN)/python tests/benchmarks/against_itself.py
	$(BIN)/python tests/benchmarks/switch.py
	$(BIN)/python tests/benchmarks/coverage.py

golden: $(PEER)/.installed ## Remake the reference values that tests compare with (needs its own environment).
	$(PEER)/bin/python tests/golden/make_adapters.py

# The pages are written where tests failed too, and say so.
matrix: $(VENV)/.installed-dev ## Test every method on every architecture; writes docs/matrix.md and docs/parity.md.
	-$(BIN)/python -m pytest tests/methods --junitxml=build/methods.xml
	$(BIN)/python tests/matrix_page.py build/methods.xml

constraints: ## Pin what is installed now.
	@(sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+cpu//') > constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove the virtual environment and what tools left behind.
	rm -rf $(VENV) $(PEER) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
