# `make` lists the targets. Every target works from a fresh clone.
PYTHON := .venv/bin/python
# Debian packages for the tests. On another system, install a browser, fonts, nginx and libfaketime,
# and run: make test PACKAGES=
CLUSTER_PACKAGES := nginx-light postgresql redis-server
PACKAGES := chromium-headless-shell faketime fonts-dejavu-core fonts-noto-color-emoji $(CLUSTER_PACKAGES)
NODES := 3
PORT := 8080
# Additional arguments for pytest, main.py or a benchmark: make test ARGS="-k lobby -x"
ARGS :=
# Many tests wait for something, so there is one worker more than processors.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
PARALLEL := --numprocesses=$(shell expr $(PROCESSORS) + 1) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
NODE_MODULES := benchmarks/node_modules/.package-lock.json
OBSERVATORY_MODULES := tests/observatory/node_modules/.package-lock.json

.PHONY: help run cluster test test-fast soak soak-cluster bench bench-cluster check format words screenshots packages clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/installed ## start anonchat
	@exec $(PYTHON) main.py $(ARGS)

cluster: .venv/installed ## start a local cluster: NODES=3 PORT=8080
	@tools/packages.sh $(CLUSTER_PACKAGES)
	@NODES=$(NODES) PORT=$(PORT) $(PYTHON) -m tools.cluster

test: packages .venv/installed-dev $(OBSERVATORY_MODULES) ## run all tests, browser tests included
	@$(PYTHON) -m compileall -q main.py anonchat pages models # the tests start many processes
	@$(PYTHON) -m pytest $(PARALLEL) $(ARGS)

test-fast: packages .venv/installed-dev ## run the quick tests of core, pages and API
	@$(PYTHON) -m pytest $(PARALLEL) -m "not slow" tests/core tests/pages tests/api $(ARGS)

bench: packages .venv/installed-bench $(NODE_MODULES) ## compare with other chats; writes docs/benchmarks.md
	@$(PYTHON) -m benchmarks $(ARGS)

bench-cluster: packages .venv/installed-dev $(NODE_MODULES) ## benchmark a cluster; writes docs/scaling.md
	@$(PYTHON) -m benchmarks.cluster $(ARGS)

soak: packages .venv/installed-dev ## kill the server 200 times under load, and check that nothing is lost
	@$(PYTHON) -m tests.history.soak

soak-cluster: packages .venv/installed-dev ## break each part of a 3-node cluster for 30 s, and check the same
	@$(PYTHON) -m tests.cluster.soak

check: .venv/installed-dev ## run formatter, linters and type checker
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/hadolint Dockerfile

format: .venv/installed-dev ## format the code and apply lint fixes
	@$(PYTHON) -m ruff check --fix-only .
	@$(PYTHON) -m ruff format .

words: .venv/installed-dev ## write the texts of the code into the catalogues
	@$(PYTHON) -m tools.words

screenshots: packages .venv/installed-dev ## recreate the screenshots of the docs
	@$(PYTHON) docs/screenshots/make.py
	@$(PYTHON) docs/screenshots/plugins.py

clean: ## remove generated files, but not the data
	@rm -rf .venv benchmarks/node_modules tests/*/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@tools/packages.sh $(PACKAGES)

.venv/installed: requirements.txt
.venv/installed-dev: requirements-dev.txt requirements.txt
.venv/installed-bench: requirements-bench.txt requirements-dev.txt requirements.txt
.venv/installed .venv/installed-dev .venv/installed-bench:
	@tools/venv.sh $<
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	@{ command -v node && command -v npm; } >/dev/null || tools/packages.sh nodejs npm
	@cd $(<D) && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@
