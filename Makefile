# setup: a virtual environment in .venv   test: lint, types and tests   demo: the whole thing, once
.PHONY: setup test lint demo clean

SHELL := /bin/bash
WORKERS ?= 2
STAMP := .venv/.installed
FITS := -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 12))'

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
	.venv/bin/pytest -q -n $(WORKERS) --dist loadfile -m 'not real_time'
	.venv/bin/pytest -q -m real_time

demo: setup
	.venv/bin/worldarm demo

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
