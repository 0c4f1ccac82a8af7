# The commands of this project; CI runs the same ones. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off
DOTS := | awk '/^Collecting/ { printf "."; fflush() } END { print " done" }'
# For every promised Python at once, with markers: what one version needs and another does not is in it too.
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11.0 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DELETE_ON_ERROR:
.PHONY: help demo test bench lint docs manifests operations lock clean

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: .venv/runs  ## watch the server work, over stdio and over HTTP
	@$(BIN)/mistral-mcp demo

test: .venv/develops  ## run the tests; make test ARGS="-k chat" runs some of them
	$(BIN)/pytest $(ARGS)

bench: .venv/develops  ## measure speed, cost and scale beside baselines; make bench ARGS=--quick
	$(BIN)/python -m benchmarks $(ARGS)

lint: .venv/develops  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: .venv/develops  ## write the tables of README.md anew, from the code
	$(BIN)/python scripts/readme_tables.py

manifests: .venv/develops  ## write the manifests anew: clients' entries from the code, the version everywhere
	$(BIN)/python -m scripts.manifests

operations: .venv/develops  ## compile the catalogue of Mistral's operations anew, and print what came and went
	$(BIN)/python -m scripts.operations

lock: .venv/develops  ## pin the newest releases that pyproject.toml allows, with the hashes of all their files
	$(BIN)/python scripts/requirements.py | $(COMPILE) --output-file requirements.txt -
	$(BIN)/python scripts/requirements.py dev | $(COMPILE) -c requirements.txt --output-file requirements-dev.txt -

clean:  ## remove everything that was made here
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is needed to run, at the versions and hashes of the lock, and this tree itself, editable.
.venv/runs: pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "Installing into .venv what is needed to run, once (20 to 40 s), a dot for each package:"
	@$(PYTHON) -m venv --clear .venv
	@$(INSTALL) --require-hashes -r requirements.txt $(DOTS)
	@$(INSTALL) --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What is needed to develop, on top.
.venv/develops: .venv/runs requirements-dev.txt
	@echo "Installing what is needed to test, once (20 to 40 s):"
	@$(INSTALL) --require-hashes -r requirements-dev.txt $(DOTS)
	@touch $@
