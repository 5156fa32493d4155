# Everything starts here: `make demo`, `make dev`, `make test`. Needs Python 3.11 to 3.13, make and a package index.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

IS_SUPPORTED := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" $(IS_SUPPORTED) && { echo "$$name"; break; }; done)
VENV := .venv
AUDIT := .venv-audit
PINS ?= constraints.txt
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOG := $(VENV)/install.log
# More than the cores of a small machine: tests wait for processes a third of their time.
WORKERS ?= 4
ARGS ?=
PYTHONS ?= python3.11 python3.12 python3.13

# Where bytecode is not kept, each pytest process compiles all tests again, which takes ten seconds.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

# A developer's own settings are for `demo` and `dev`.
test test-fast test-package test-deploy chaos histories soak: export OPENFAITH_ENV_FILE := /dev/null
test test-fast test-package test-deploy chaos histories soak: export OPENFAITH_CONFIG_FILE := /dev/null
test test-fast test-package test-deploy chaos histories soak: export OPENFAITH_SECRETS_DIR := /dev/null

.PHONY: broker help demo dev test test-fast test-package chaos soak lint audit format docs pictures dist browser install clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(READY)  ## sync two simulated churches into an embedded Postgres
	@$(BIN)/openfaith-pipeline demo $(ARGS)

dev: $(READY)  ## the Dagster UI and daemon on that data, until Ctrl-C
	@exec $(BIN)/openfaith-pipeline dev $(ARGS)

test: $(READY) browser broker shells  ## the whole test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-fast: $(READY)  ## the unit tests, in about a minute
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow" openfaith_pipeline_tests/unit $(ARGS)

test-package: $(READY)  ## the built package installed by pip and used, on each Python of PYTHONS="..." that runs here
	@found=""; for python in $(PYTHONS); do \
		if "$$python" $(IS_SUPPORTED); then found="$$found $$python"; else echo "skipped, not here: $$python" >&2; fi; done; \
	if [ -z "$$found" ]; then echo "none of these runs here: $(PYTHONS); name others: make test-package PYTHONS=..." >&2; exit 1; fi; \
	PACKAGE_PYTHONS="$$found" $(BIN)/python -m pytest -n 0 -v openfaith_pipeline_tests/acceptance/package $(ARGS)

.PHONY: test-deploy
test-deploy: $(READY) broker  ## image and both brokers, where a Docker engine, redis-server and rabbitmq-server are; says what it skipped
	@DEPLOY_TESTS=1 $(BIN)/python -m pytest -n 0 -v -rs openfaith_pipeline_tests/unit/deploy \
		openfaith_pipeline_tests/acceptance/deploy openfaith_pipeline_tests/acceptance/dagster/test_many_machines.py $(ARGS)

chaos: $(READY)  ## syncs killed at random points, a tenth of them in Dagster, 300 times unless ARGS="--rounds N"
	@$(BIN)/python -m openfaith_pipeline_tests.chaos $(ARGS)

.PHONY: histories
histories: $(READY)  ## random histories of changes on both sides; SEEDS=N (20) histories of STEPS=N (200)
	@HISTORY_SEEDS=$(or $(SEEDS),20) HISTORY_STEPS=$(or $(STEPS),200) $(BIN)/python -m pytest -n $(WORKERS) \
		openfaith_pipeline_tests/integration/conflicts/test_histories.py $(ARGS)

soak: $(READY)  ## 30 simulated days of three churches, incidents and kills included; ARGS="--days N --seconds PER_DAY --seed N"
	@$(BIN)/python -m openfaith_pipeline_tests.soak $(ARGS)

lint: $(READY)  ## format, lint, import walls, dependencies, types
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo >$(VENV)/imports.log || { cat $(VENV)/imports.log >&2; exit 1; }
	@$(BIN)/deptry . >$(VENV)/dependencies.log 2>&1 || { cat $(VENV)/dependencies.log >&2; exit 1; }
	@$(BIN)/python -m pip check --disable-pip-version-check >$(VENV)/dependencies.log || { cat $(VENV)/dependencies.log >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary

# pip-audit asks the package index, for each pinned version, which vulnerabilities are known of it. It has no copy of
# that database, so this is no part of `lint`, which works without a network.
audit: $(READY)  ## known vulnerabilities of every pinned dependency; needs the network
	@[ -x $(AUDIT)/bin/pip-audit ] || { "$(BIN)/python" -m venv $(AUDIT) && \
		$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pip-audit; } >$(LOG) 2>&1 </dev/null \
		|| { rm -rf $(AUDIT); cat $(LOG) >&2; echo "pip-audit could not be installed: nothing was audited" >&2; exit 1; }
	@$(AUDIT)/bin/pip-audit --strict --progress-spinner off --disable-pip --no-deps -r $(PINS) $(ARGS) || { status=$$?; \
		echo "not audited, or vulnerable: see above. Where the database cannot be reached, nothing is known of the pins." >&2; exit $$status; }

format: $(READY)  ## format the code and mend what ruff can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

docs: $(READY)  ## write the generated pages of docs/ anew
	@$(BIN)/python -m openfaith_pipeline_tests.generated_docs

pictures: $(READY) browser  ## the pictures of docs/images, while `make dev` runs on the demo's data
	@$(BIN)/python -m openfaith_pipeline_tests.pictures $(ARGS)

# The browser test drives Debian's Chromium. As root it is installed when missing; a user is told what to do.
browser: $(READY)
	@if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
				>$(VENV)/browser.log 2>&1 </dev/null \
				|| echo "Chromium could not be installed, see $(VENV)/browser.log" >&2; \
		elif [ -z "$${CI:-}" ]; then \
			echo "the browser test is skipped: install Chromium (Debian: sudo apt-get install chromium)" >&2; \
		fi; \
	fi

# The test of zsh's completion. As root it is installed when missing, else that test is skipped.
shells: $(READY)
	@if ! command -v zsh >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends zsh; } \
			>$(VENV)/shells.log 2>&1 </dev/null || echo "zsh could not be installed, see $(VENV)/shells.log" >&2; \
	fi

# The test of several machines starts a Redis of its own. As root it is installed when missing, else that test is skipped.
broker: $(READY)
	@if ! command -v redis-server >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends redis-server; } \
			>$(VENV)/broker.log 2>&1 </dev/null || echo "Redis could not be installed, see $(VENV)/broker.log" >&2; \
	fi

dist: $(READY)  ## the source distribution and the wheel, in dist/
	@$(BIN)/python -m build --no-isolation --outdir dist . >$(LOG) 2>&1 || { cat $(LOG) >&2; exit 1; }
	@ls dist/*

install: $(READY)  ## the virtual environment in .venv

$(READY): pyproject.toml constraints.txt | .openfaith
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11, 3.12 or 3.13 is needed and none was found; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@"$(PYTHON)" $(IS_SUPPORTED) || { \
		echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(BIN)/python $(IS_SUPPORTED) || { rm -rf $(VENV); "$(PYTHON)" -m venv $(VENV) >/dev/null 2>&1; } || { \
		rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@[ -n "$${CI:-}" ] || echo "installing dependencies into $(VENV) (a minute or two, once) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' >$(LOG) 2>&1 </dev/null || { \
		cat $(LOG) >&2; echo "the dependencies could not be installed: see above" >&2; exit 1; }
	@touch $@

# Where there is one, the command line keeps its data there, rather than in the user's data directory.
.openfaith:
	@mkdir -m 755 $@

clean:  ## remove the virtual environment, caches and built files; the data in .openfaith stays
	@rm -rf $(VENV) $(AUDIT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find openfaith_pipeline openfaith_pipeline_tests -name __pycache__ -prune -exec rm -rf {} +
