# Two commands do everything: `make run` (set up, run the quickstart study) and `make test` (set up, check everything).
# The clone is installed editable, so a new plug-in file is found at once. Every version comes from constraints.txt;
# where pip sees a CPU wheel of torch (an index or PIP_FIND_LINKS that has one), that pin takes it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt

# Compiled files are kept whatever the environment says: without them each of some hundred processes that tests start
# compiles 300 modules again, and each worker rewrites all test files.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test slow quick gpu soak faults format docs constraints clean

help:
	@echo "make setup        the virtual environment $(VENV) with everything a study needs"
	@echo "make run          set up, then run studies/quickstart.yaml"
	@echo "make test         set up for development, then format check, lint, types and the tests: 16 minutes on 2 cores"
	@echo "make slow         the longer tests: whole studies, kills, Ray; over an hour on 2 cores; before a pull request"
	@echo "make quick        format check, lint, and the unit tests of what changed since main; under a minute"
	@echo "make gpu          every evaluator on a CUDA GPU, two trials on one, bf16, memory; prints the table of docs/speed.md"
	@echo "make soak         for MINUTES=10: a nemesis against everything at once, then property tests and mutated input"
	@echo "make faults       kills at every named moment of a campaign, on every store and executor, and long faults: an hour"
	@echo "make format       format the code, fix what the linter can fix, write the table of rooms in docs"
	@echo "make docs         build the documentation into build/site; broken links are errors"
	@echo "make constraints  write constraints.txt again: the newest versions that pyproject.toml allows (torch stays)"
	@echo "make clean        remove $(VENV) and all build output (never .automl, the records)"

setup: $(VENV)/.setup

run: $(VENV)/.setup
	$(BIN)/automl run studies/quickstart.yaml

test: $(VENV)/.develop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

slow: $(VENV)/.develop
	$(BIN)/pytest -m "slow and not faults" -n 2 --dist loadfile --no-loadscope-reorder

quick: $(VENV)/.develop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tests/changed.py

gpu: $(VENV)/.develop
	$(BIN)/pytest tests/gpu -m gpu

MINUTES ?= 10
soak: $(VENV)/.develop
	$(BIN)/python tests/soak.py $(MINUTES)

faults: $(VENV)/.develop
	$(BIN)/pytest -m faults -o timeout=7200

format: $(VENV)/.develop
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python docs/tools/tables.py

docs: $(VENV)/.develop
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open build/site/index.html; for its search: $(BIN)/python -m http.server --directory build/site"

constraints:
	$(PYTHON) -m venv --clear build/constraints
	grep '^torch==' constraints.txt > build/torch.txt
	build/constraints/bin/pip install --quiet --constraint build/torch.txt '.[dev]'
	grep '^#' constraints.txt > build/constraints.txt
	build/constraints/bin/pip freeze --all --exclude pip --exclude automl-orchestrator | sed 's/+.*//' >> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A development environment holds all that a plain one does, so it stands for both.
$(VENV)/.setup: $(INPUTS)
	$(call install,.)
	@touch $@

$(VENV)/.develop: $(INPUTS)
	$(call install,.[dev])
	@touch $(VENV)/.setup $@

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed, but $(PYTHON) is not: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '$(1)'
endef
