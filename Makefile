# setup: a virtual environment in .venv   test: lint, types and tests   demo: the whole thing, once
# soak: the tests that try something at random, many times as often
# fuzz: inputs that no one would send, to the readers of what others send, FUZZ_SECONDS for each reader
# test-lerobot: data sets, written and read by the real lerobot in an environment of its own, .venv-lerobot
.PHONY: setup test soak fuzz test-lerobot lint demo clean

SHELL := /bin/bash
# One worker a core: with more, tests that follow a moving arm fall behind it. What needs several cores runs by itself.
WORKERS ?= $(shell nproc)
FUZZ_SECONDS ?= 120
STAMP := .venv/.installed
FITS := -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 12))'
LEROBOT := lerobot[dataset]==0.6.1
LEROBOT_STAMP := .venv-lerobot/.installed
LEROBOT_FITS := -c 'import sys; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 14))'

setup: $(STAMP)

# The stamp makes a second run free; touching pyproject.toml makes it install again.
$(STAMP): pyproject.toml
	@set -e; \
	for python in python3.11 python3.10 python3; do \
		if $$python $(FITS) 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "worldarm needs CPython 3.10 or 3.11 (PyBullet has wheels for these two only)," \
			"and none of python3.11, python3.10, python3 on PATH is one: install one, then run make again." >&2; \
		exit 1; \
	fi; \
	if ! .venv/bin/python $(FITS) 2>/dev/null; then \
		$$python -m venv --clear .venv; \
	fi
	.venv/bin/python -m pip install --quiet -e '.[dev]'
	@touch $@

lint: setup
	.venv/bin/ruff check .
	.venv/bin/mypy

test: lint
	.venv/bin/pytest -q -n $(WORKERS) --dist worksteal -m 'not real_time'
	.venv/bin/pytest -q -n $(WORKERS) --dist worksteal -m 'real_time and not alone'
	.venv/bin/pytest -q -m 'real_time and alone'

# What make test tries a few times, many times: every system call that writes, a thousand examples of each property.
soak: setup
	WORLDARM_SOAK=1 .venv/bin/pytest -q -n $(WORKERS) --dist worksteal -m 'soak and not real_time' --timeout 3600
	WORLDARM_SOAK=1 .venv/bin/pytest -q -m 'soak and real_time' --timeout 3600

fuzz: setup
	.venv/bin/python -m pip install --quiet -e '.[fuzz]'
	FUZZ_SECONDS=$(FUZZ_SECONDS) .venv/bin/python -m tests.fuzz.run

test-lerobot: setup $(LEROBOT_STAMP)
	LEROBOT_PYTHON=.venv-lerobot/bin/python .venv/bin/pytest -q tests/lerobot

# What would be installed is asked for first: of torch, pip's own index has only CUDA builds on some machines, several
# gigabytes that nothing here uses.
$(LEROBOT_STAMP): Makefile
	@set -e; \
	for python in python3.12 python3.13 python3; do \
		if $$python $(LEROBOT_FITS) 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "lerobot needs CPython 3.12 or 3.13, and none of python3.12, python3.13, python3 on PATH is one:" \
			"install python3.12, then run make test-lerobot again." >&2; \
		exit 1; \
	fi; \
	if ! .venv-lerobot/bin/python $(LEROBOT_FITS) 2>/dev/null; then \
		$$python -m venv --clear .venv-lerobot; \
	fi; \
	.venv-lerobot/bin/python -m pip install --quiet --dry-run --report .venv-lerobot/report.json '$(LEROBOT)'; \
	if [ -z "$(CUDA)" ] && grep -q '"name": "nvidia-' .venv-lerobot/report.json; then \
		echo "pip would take a CUDA build of torch, several gigabytes that these tests do not use. Set" \
			"PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds (or PIP_FIND_LINKS to a folder with one)," \
			"or run make test-lerobot CUDA=1 to take it all the same." >&2; \
		exit 1; \
	fi; \
	.venv-lerobot/bin/python -m pip install --quiet '$(LEROBOT)'; \
	if ! .venv-lerobot/bin/python -c 'import torchcodec' 2>/dev/null; then \
		echo "lerobot decodes video by FFmpeg's libraries, which are not there: install Debian's ffmpeg, or FFmpeg 4" \
			"to 8 otherwise, then run make test-lerobot again." >&2; \
		exit 1; \
	fi
	@touch $@

demo: setup
	.venv/bin/worldarm demo

clean:
	rm -rf .fuzz build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . \( -path ./.venv -o -path ./.venv-lerobot \) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
