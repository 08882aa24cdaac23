# Everything runs from the virtual environment in .venv, so no target needs it activated.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help install demo run test check quick-check hooks bench bench-lrs faults fuzz soak sbom licences audit image-check figures documents languages screenshots pins clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGES := bridge consumers deploy schemas
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST_ARGS ?=
FIGURES ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.package ## Make the virtual environment in .venv (again only when its pins changed)

$(BIN)/python:
	@echo "Making the virtual environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; name one: make install PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null; \
	  else \
	    echo "This Python has no venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	  fi; \
	fi
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.pins: deploy/requirements/dev.txt | $(BIN)/python
	@echo "Installing the pinned dependencies … (some minutes, the first time)"
	@$(PIP) install --require-hashes -r $<
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.pins
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## Publish sample statements and show what became of each
	@$(BIN)/python -m deploy.dev.demo

run: install ## Run the service with its own RabbitMQ and MongoDB, sample members and tokens
	@$(BIN)/cpd-bridge dev

test: install ## Run the tests (PYTEST_ARGS="-k name" for some of them)
	@# Else each of the processes that tests start compiles the whole product for itself.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: quick-check ## Lint, format, types, dependency rule, security
	@$(BIN)/pyright
	@$(BIN)/bandit -q -r $(PACKAGES) -c pyproject.toml

quick-check: install ## The part of the checks that takes seconds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

hooks: ## Run the quick checks before each commit in this clone
	@ln -sf "$$(git rev-parse --show-toplevel)/.ci/pre-commit" "$$(git rev-parse --git-path hooks)/pre-commit"
	@echo "Before each commit: make quick-check"

bench: install ## Measure the worker beside the bare loop, and the latency to a readable draft
	@$(BIN)/python -m tests.benchmarks

bench-lrs: install ## Measure statements over HTTP (BENCH_PEER=URL BENCH_PEER_LOGIN=key:secret: beside another LRS)
	@$(BIN)/python -m tests.benchmarks.lrs

faults: install ## Kill worker, broker and store at random under load, 60 times, prove the ledger, and search long
	@FAULT_ROUNDS=60 $(BIN)/python -m pytest tests/faults tests/properties $(PYTEST_ARGS)

fuzz: install ## Call every operation as each role with drawn requests, by schemathesis, and check each answer
	@FUZZ_EXAMPLES=10 $(BIN)/python -m pytest tests/fuzz $(PYTEST_ARGS)

soak: install ## Load worker and API steadily for five minutes (SOAK_MINUTES), and judge memory, errors and backlog
	@$(BIN)/python -m tests.soak

sbom: install ## Write dist/sbom.json: what the image holds, by its pins (CycloneDX)
	@mkdir -p dist
	@$(BIN)/cyclonedx-py requirements deploy/requirements/run.txt --pyproject pyproject.toml --mc-type application \
	  --of JSON --output-reproducible --validate -o dist/sbom.json 2>/dev/null
	@echo "dist/sbom.json"

licences: install ## Make docs/licences.md again from what is installed
	@$(BIN)/python -m tests.support.licences

audit: install ## Ask for known faults of the pins; fails when one could not be looked up, a network that is away included
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r deploy/requirements/run.txt

image-check: install ## Do what the image's build does, without a Docker engine (fetches the pinned dependencies)
	@$(BIN)/python -m tests.support.image

figures: ## Print how the code reads, in figures with limits (FIGURES="--at COMMIT" an older one, "--list NAME" what it counts)
	@$(PYTHON) -m tests.figures $(FIGURES)

screenshots: install ## Take the pictures of docs/guides/images again, from a run of the example portal
	@mkdir -p docs/guides/images
	@PORTAL_PICTURES=docs/guides/images $(BIN)/python -m pytest -q tests/browser/test_portal.py -k story

documents: install ## Make the documents of the API, the messages and the settings again from the code
	@$(BIN)/python -m bridge.api.resources > docs/openapi.json
	@$(BIN)/cpd-bridge asyncapi > docs/asyncapi.json
	@$(BIN)/python -m tests.support.settings_page > docs/settings.md

languages: install ## Bring the catalogues of schemas/languages in line with what the code says to members
	@$(BIN)/python -m tests.catalogues

pins: ## Make deploy/requirements/*.txt again from pyproject.toml
	@tools="$$(mktemp -d)"; trap 'rm -rf "$$tools"' EXIT; \
	$(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --disable-pip-version-check --quiet uv; \
	compile() { "$$tools/bin/uv" pip compile --universal --generate-hashes --python-version 3.11 \
	  --prerelease if-necessary-or-explicit \
	  --custom-compile-command "make pins" -q "$$@"; }; \
	compile pyproject.toml -o deploy/requirements/run.txt; \
	compile pyproject.toml --extra dev -c deploy/requirements/run.txt -o deploy/requirements/dev.txt; \
	echo hatchling | compile - -c deploy/requirements/dev.txt -o deploy/requirements/build.txt

clean: ## Remove the virtual environment, local data and caches
	@rm -rf .venv .local dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
