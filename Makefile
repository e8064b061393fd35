# Needs git, make and a Python >= 3.11; everything else is fetched into .cache/ and .venv/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
STAMP := .venv/ao-bootstrap.stamp
RUN := .venv/bin

# The first Python >= 3.11 that starts; name one with `make PYTHON=/path/to/python …`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

.PHONY: demo test chaos check bench bench-peers screenshots docs generate env clean help

help: ## What each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: env ## Deploy, run, retry, diff and roll back a real agent, then leave nothing behind
	@$(RUN)/python scripts/demo.py

test: env ## Every test; under CI=true with every system package
	@$(PYTHON) scripts/system_packages.py
	@$(RUN)/python -m pytest $(ARGS)

chaos: env ## 2,000 runs in steps under seeded kills; ARGS="--help" lists what can be chosen
	@$(RUN)/python -m tests.chaos $(ARGS)

check: env ## Lint, format, types, layers, documentation
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python -m pytest -q tests/unit/test_layout.py tests/unit/test_docs.py
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --quiet --strict

bench: env ## Throughput and latency next to the limits of this machine
	@$(RUN)/python -m benchmarks $(ARGS)

bench-peers: env ## The same work on other platforms, in throw-away environments
	@$(RUN)/python -m benchmarks.peers $(ARGS)

screenshots: env ## Pictures of every page of the dashboard, into docs/images
	@$(RUN)/python scripts/screenshots.py $(ARGS)

docs: env ## Serve the documentation on a local port
	@NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs serve

generate: env ## Write what comes from the code: parts of docs/, the schema of ao.toml, modules of .proto files, the image's lock
	@$(RUN)/python scripts/generate_docs.py
	@$(RUN)/python -m ao.project.schema
	@cp src/ao/project/ao.schema.json examples/hello/.ao/ao.schema.json
	@$(RUN)/python scripts/generate_proto.py
	@$(RUN)/python scripts/image_lock.py

env: $(STAMP) ## Only make the environment

$(STAMP): locks/dev.txt pyproject.toml scripts/bootstrap.py scripts/uv_wheel.py
	@if [ -z "$(PYTHON)" ]; then echo "error: no Python >= 3.11 was found. Install one (Debian, Ubuntu: apt-get \
	install python3; Fedora: dnf install python3.12; macOS: brew install python@3.13) or name it: \
	make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@$(PYTHON) scripts/bootstrap.py

clean: ## Remove what make has made, the environment too
	rm -rf .venv .cache site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
