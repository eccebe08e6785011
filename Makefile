# The verbs of this repository; `make help` lists them. They need Python 3.11 or newer and a package index.
# PYTHON chooses the interpreter, ARGS adds arguments, STENO_* variables are the service's settings.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
UV := $(BIN)/uv
COMPAT := .venv-compat/ready
OPENAPI := .venv-openapi/ready
AUDIT := .venv-audit/ready
IMAGE_TOOLS := .venv-images/ready
HUGGINGFACE := .huggingface/ready
FASTRTC := .fastrtc/ready
COMPAT_NODE := tests/compat/node_modules/ready
MACOS_WHEELS := .macos-wheels/ready

# Tests start hundreds of processes; without byte code each of them would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up demo test test-slow test-compat test-huggingface test-fastrtc test-images chaos lint audit bench lock clean

help: ## List the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1	\2/p' $(MAKEFILE_LIST) | expand -t 12

up: $(READY) ## Run the whole service on this machine until Ctrl-C
	@$(BIN)/steno up $(ARGS)

demo: $(READY) ## Run the service on a bundled clip, live and as a file, then stop
	@$(BIN)/steno demo $(ARGS)

test: $(READY) $(MACOS_WHEELS) ## Run all tests
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: $(READY) $(OPENAPI) ## Run what `make test` leaves out: long variants, a run of chaos, real speech over other surfaces
	$(BIN)/pytest -m slow -n auto --dist loadfile $(ARGS)

test-compat: $(READY) $(COMPAT) $(COMPAT_NODE) ## Run the tests that drive official client packages
	$(BIN)/pytest -m compat tests/compat $(ARGS)

test-huggingface: $(READY) $(HUGGINGFACE) ## Run the tests of the engine on PyTorch
	PYTHONPATH=.huggingface $(BIN)/pytest -m huggingface -n 2 --dist loadfile $(ARGS)

test-fastrtc: $(READY) $(FASTRTC) ## Run the tests of what sits in a FastRTC application
	PYTHONPATH=.fastrtc $(BIN)/pytest -m fastrtc -n 2 --dist loadfile $(ARGS)

test-images: $(READY) $(IMAGE_TOOLS) ## Build the images, run them as a stack where a container engine answers, check manifests
	$(BIN)/pytest -m images tests/images -s $(ARGS)

chaos: $(READY) ## Kill, freeze and cut processes under live sessions, 200 times
	STENO_CHAOS_RUNS=$(or $(STENO_CHAOS_RUNS),200) $(BIN)/pytest -m slow tests/chaos -s $(ARGS)

lint: $(READY) ## Check style, types and the import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports

audit: $(READY) $(AUDIT) ## Look for known vulnerabilities and licences in the locks (status 3: no service to ask)
	$(BIN)/python deploy/ci/audit.py $(dir $(AUDIT))bin/pip-audit

bench: $(READY) ## Measure live sessions: latency, WER, CPU (ARGS are those of bench.live)
	$(BIN)/python -m bench.live $(or $(ARGS),--sessions 1 --data tests/data)

lock: $(READY) $(UV) ## Resolve pyproject.toml into the lock files again
	deploy/ci/lock.sh $(UV)

clean: ## Remove what the verbs made here; models and data of the service stay
	rm -rf $(VENV) .venv-compat .venv-images .macos-wheels .huggingface .fastrtc .venv-openapi .venv-audit tests/compat/node_modules tests/browser/artefacts tests/desktop/artefacts build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made again when a lock or the project changed, so that a second `make up` does not even start pip.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Steno needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'Installing packages into $(VENV); the first time this takes a few minutes.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(COMPAT): tests/compat/frameworks.txt
	$(PYTHON) -m venv .venv-compat
	.venv-compat/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(OPENAPI): tests/openapi/requirements.txt
	$(PYTHON) -m venv .venv-openapi
	.venv-openapi/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(AUDIT): deploy/ci/audit.txt
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(IMAGE_TOOLS): tests/images/requirements.txt
	$(PYTHON) -m venv .venv-images
	.venv-images/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r $<
	@touch $@

# Wheels for another system: unpacked to be read, not installed.
$(MACOS_WHEELS): tests/support/pyobjc/wheels.txt | $(READY)
	rm -rf .macos-wheels
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes \
	  --only-binary=:all: --platform macosx_10_13_universal2 --implementation cp --python-version 3.13 \
	  --target .macos-wheels -r $<
	@touch $@

# A build of PyTorch without CUDA is a tenth of the other's size, where the index has it.
$(HUGGINGFACE): tests/huggingface.txt $(READY)
	rm -rf .huggingface
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .huggingface -r $< 'torch==2.13.0+cpu' \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --target .huggingface -r $< 'torch==2.13.0'
	@touch $@

# FastRTC brings Gradio and Numba, a gigabyte, and older releases of packages that are locked: it lies before them.
$(FASTRTC): tests/fastrtc.txt $(READY)
	rm -rf .fastrtc
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --target .fastrtc -r $<
	@touch $@

$(COMPAT_NODE): tests/compat/package.json
	npm install --prefix tests/compat --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(UV):
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
