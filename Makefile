# Two commands for a newcomer: `make demo` and `make test`. The rest is for developers.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
STUDY ?= study
# the review app's sources: installing builds it, with a Node of its own
FRONT_END := hatch_build.py $(shell find web -type f -not -path "*/node_modules/*" -not -name "*.md" 2>/dev/null)
export NISSL_DATA ?= ../shared/data
# tests start Python hundreds of times: what it compiled must stay
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint docs benchmark clean

demo: $(VENV)/.demo
	$(BIN)/nissl demo spikes --out $(STUDY)

# each worker has one core: threads of PyTorch that share it cost tests several times their time
test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile -m "not slow" --durations 40 --durations-min 5

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	$(BIN)/mkdocs build --strict

benchmark: $(VENV)/.dev
	$(PIP) -e ".[sorters]"
	$(BIN)/python benchmarks/spikes.py --out build/benchmarks/spikes --page docs/benchmarks/spikes.md

clean:
	rm -rf $(VENV) site build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "nissl needs Python 3.11 or newer; found: $$($(PYTHON) --version). Give one: make demo PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt $(FRONT_END)
	@echo "Installing nissl[ephys] into $(VENV) (one to three minutes, once) ..."
	$(PIP) -e ".[ephys]"
	@echo "Compiling the sorter's functions, once ..."
	@$(BIN)/python -W ignore -m nissl.annotators.spikes.warm spikes/nissl
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt $(FRONT_END)
	@echo "Installing nissl[dev] into $(VENV) (one to three minutes, once) ..."
	$(PIP) -e ".[dev]"
	@touch $@
