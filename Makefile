# Without make: create .venv as below, then run the three lines of `repro` with .venv/bin first in your PATH.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Installed before the project, so that its build is a choice: PyPI's for Linux brings CUDA with it (gigabytes). For a
# much smaller one without CUDA:
#   make repro TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
# Read only when .venv is created; `rm -r .venv` to change it.
TORCH ?= torch==2.13.0

# vLLM's CPU build (requirements/vllm.in), in an environment of its own: it pins its torch and an older transformers.
VLLM_VENV := .venv-vllm
# The torch that it requires. PyPI has no +cpu builds: without another index of pip's, it comes from PyTorch's own.
VLLM_TORCH ?= torch==2.13.0+cpu
TORCH_INDEX := https://download.pytorch.org/whl/cpu

export PATH := $(CURDIR)/$(BIN):$(PATH) # the stages run as `python -m stages.<stage>`
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
export TRANSFORMERS_VERBOSITY := error
# No downloads at run time: models are built in, or were downloaded once with `make repro HF_HUB_OFFLINE=0`.
export HF_HUB_OFFLINE ?= 1

# Processes of `make test`; logical: one per core.
JOBS ?= logical
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

# Versions of all packages but torch, whose build is a choice (requirements/overrides.txt).
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --override requirements/overrides.txt --no-annotate \
	--custom-compile-command 'make lock' --upgrade

# No secrets: commits of the hub that models are pinned to, and SHA-256 digests of weights.
SECRETS := detect-secrets-hook --exclude-lines 'revision: .?[0-9a-f]{40}|: "[0-9a-f]{64}"'

.PHONY: repro ladder data-report report results test test-slow test-all test-ci test-vllm lint check lock

repro: $(VENV)/installed
	$(BIN)/babelshelf check
	$(BIN)/dvc repro summarize
	$(BIN)/babelshelf show

ladder: $(VENV)/installed
	$(BIN)/babelshelf ladder

test: $(VENV)/installed-dev
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/installed-dev # what `test` leaves out, the benchmarks' tests, and more examples for hypothesis
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile thorough

test-all: test test-slow

test-ci: $(VENV)/installed-dev # the slow tests that CI runs on each change: kills, the ladder, a remote
	$(PYTEST) -m "slow and ci"

# One at a time: an engine takes all cores. `make test-vllm VLLM_TESTS="vllm and ci"` compares p(yes) with transformers'.
VLLM_TESTS ?= vllm

test-vllm: $(VLLM_VENV)/installed
	PATH="$(CURDIR)/$(VLLM_VENV)/bin:$$PATH" $(VLLM_VENV)/bin/python -m pytest -m "$(VLLM_TESTS)" tests

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files -z | xargs -0 $(BIN)/$(SECRETS)

data-report: $(VENV)/installed # without babelshelf check: it needs neither the GPUs nor the models that params.yaml names
	$(BIN)/dvc repro data_report

report: $(VENV)/installed
	$(BIN)/babelshelf report

results: $(VENV)/installed # the tables of README and docs, from metrics/ and from the committed results of benchmarks
	$(BIN)/babelshelf readme
	$(BIN)/python -m benchmarks.tables

check: $(VENV)/installed
	$(BIN)/babelshelf check

# Resolves the newest versions that pyproject.toml allows, for Python 3.11 and later. CONTRIBUTING.md says when to do it.
lock: $(VENV)/installed
	$(BIN)/python -m pip install uv
	$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/main.txt
	$(COMPILE) pyproject.toml requirements/vllm.in --extra ray -o requirements/vllm.txt

# Stamps: written only when all before them succeeded, so an interrupted installation starts again.
$(VENV)/installed: requirements/main.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(TORCH)
	$(BIN)/python -m pip install -r requirements/main.txt
	$(BIN)/python -m pip install --no-deps --editable .
	touch $@

$(VENV)/installed-dev: requirements/dev.txt $(VENV)/installed
	$(BIN)/python -m pip install -r requirements/dev.txt
	touch $@

# --no-deps: vLLM requires torchvision, torchaudio and torchcodec, which text does not need, and whose PyPI builds do not
# load beside a CPU build of torch.
$(VLLM_VENV)/installed: requirements/vllm.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install '$(VLLM_TORCH)' || \
		$(VLLM_VENV)/bin/python -m pip install '$(VLLM_TORCH)' --index-url $(TORCH_INDEX)
	$(VLLM_VENV)/bin/python -m pip install --no-deps -r requirements/vllm.txt
	$(VLLM_VENV)/bin/python -m pip install --no-deps --editable .
	touch $@
