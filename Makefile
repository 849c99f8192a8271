# `make` lists what it can do. Every target works from a fresh clone.
PYTHON := .venv/bin/python
# The Debian packages the tests use; with another system's browser, fonts, nginx and libfaketime:
# make test PACKAGES=
CLUSTER_PACKAGES := nginx-light postgresql redis-server
PACKAGES := chromium-headless-shell faketime fonts-dejavu-core fonts-noto-color-emoji $(CLUSTER_PACKAGES)
NODES := 3
PORT := 8080
# More for pytest, main.py or a benchmark, for example: make test ARGS="-k lobby -x"
ARGS :=
# Many stories wait for something, so there is one at a time more than there are processors.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
AT_ONCE := --numprocesses=$(shell expr $(PROCESSORS) + 1) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
NODE_MODULES := tests/benchmarks/node_modules/.package-lock.json
OBSERVATORY := tests/observatory/node_modules/.package-lock.json

.PHONY: help run cluster test soak soak-cluster bench bench-cluster check format screenshots packages clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/installed ## start anonchat
	@exec $(PYTHON) main.py $(ARGS)

cluster: .venv/installed ## start a site of many nodes here, for trying: NODES=3 PORT=8080
	@tools/packages.sh $(CLUSTER_PACKAGES)
	@NODES=$(NODES) PORT=$(PORT) $(PYTHON) -m tools.cluster

test: packages .venv/installed-dev $(OBSERVATORY) ## run every test, the ones in a real browser too
	@$(PYTHON) -m compileall -q main.py anonchat pages models # for the many processes that it starts
	@$(PYTHON) -m pytest $(AT_ONCE) $(ARGS)

bench: packages .venv/installed-bench $(NODE_MODULES) ## measure it beside its peers; writes docs/benchmarks.md
	@$(PYTHON) -m tests.benchmarks $(ARGS)

bench-cluster: packages .venv/installed-dev $(NODE_MODULES) ## measure what many nodes carry; writes docs/scaling.md
	@$(PYTHON) -m tests.benchmarks.cluster $(ARGS)

soak: packages .venv/installed-dev ## kill the server 200 times under load, and look for anything lost
	@$(PYTHON) -m tests.history.soak

soak-cluster: packages .venv/installed-dev ## break each part of a site of three nodes for half a minute, and look for the same
	@$(PYTHON) -m tests.cluster.soak

check: .venv/installed-dev ## look for mistakes without running anything
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/hadolint Dockerfile

format: .venv/installed-dev ## put the code into its shape
	@$(PYTHON) -m ruff check --fix-only .
	@$(PYTHON) -m ruff format .

screenshots: packages .venv/installed-dev ## draw the pictures of the documents anew
	@$(PYTHON) docs/screenshots/make.py

clean: ## remove what the other targets made, but never the data
	@rm -rf .venv tests/*/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@tools/packages.sh $(PACKAGES)

.venv/installed: requirements.txt
.venv/installed-dev: requirements-dev.txt requirements.txt
.venv/installed-bench: requirements-bench.txt requirements-dev.txt requirements.txt
.venv/installed .venv/installed-dev .venv/installed-bench:
	@tools/venv.sh $<
	@touch $@

tests/%/node_modules/.package-lock.json: tests/%/package-lock.json
	@{ command -v node && command -v npm; } >/dev/null || tools/packages.sh nodejs npm
	@cd $(<D) && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@
