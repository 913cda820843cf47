# The developers' verbs; `make` alone lists them. What they need and do: tests/README.md.

PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv)
LOCK := $(or $(UV),$(BIN)/uv) pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help demo setup setup-bench check format proto quick test kills hostile bare-debian services bench bundle sbom release lock clean

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## +/\t/' | expand -t 14

demo: .venv/.ready  ## watch a simulated city go through the real worker, on this machine alone; SECONDS=20 ends it
	@$(BIN)/headrace demo $(if $(SECONDS),--seconds $(SECONDS))

setup: .venv/.ready  ## .venv from the lock files, and the real Mosquitto, Prometheus, Kafka, helm and others
	@$(BIN)/python tests/support/toolchain.py test

setup-bench: .venv/.ready  ## what `make bench` needs: Mosquitto, Kafka, Go, and the C libraries of the naive relay
	@$(BIN)/python tests/support/toolchain.py bench

check: .venv/.ready  ## linter, formatter and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.ready  ## let the linter and the formatter write
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

proto: .venv/.ready  ## generate the modules of connectors/network_servers/proto from its .proto files
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. connectors/network_servers/proto/*.proto

quick: .venv/.ready  ## the tests that need no real part: seconds
	$(BIN)/pytest -m "not real and not fault"

test: setup check  ## everything: the quick tests, the real parts, the faults
	$(BIN)/pytest

kills: setup  ## 100 SIGKILLs of a worker under load, and one verdict: about 5 minutes
	$(BIN)/python -m tests.faults.kills --count 100

hostile: setup  ## what a hostile sender, clock or disk does to a worker, each with a verdict file: at most 10 minutes
	HEADRACE_HOSTILE=full $(BIN)/pytest tests/hostile

bare-debian:  ## setup and a part of the suite in a chroot with Python, make and apt alone: minutes; root, debootstrap
	@bash tests/support/bare_debian.sh

services: .venv/.ready  ## Mosquitto on 1883 and Kafka on 9092, until Ctrl-C; needs neither root nor `make setup`
	@$(BIN)/python tests/support/toolchain.py services
	@$(BIN)/python -m tests.support.services

bench: setup-bench  ## the benchmark; loadtests/ says what it measures
	$(BIN)/python -m loadtests bench

bundle: .venv/.ready  ## dist/headrace-VERSION-linux-{amd64,arm64}.tar.gz: all that an edge gateway without a network needs
	@$(BIN)/python deploy/bundle/build.py

sbom: .venv/.ready  ## dist/headrace-VERSION.cdx.json: what an installation consists of, with versions and licences (CycloneDX)
	@$(BIN)/python deploy/bundle/release.py parts --only sbom

release: .venv/.ready  ## dist/headrace-VERSION/: bundles, wheel, sdist, chart and SBOM of a clean, tagged commit, with SHA256SUMS
	@$(BIN)/python deploy/bundle/release.py build

lock:  ## resolve the newest versions that pyproject.toml allows into the lock files
	@test -n "$(UV)" -o -x $(BIN)/uv || { echo "no uv here: $(BIN)/pip install uv" >&2; exit 1; }
	$(LOCK) --upgrade pyproject.toml -o requirements.lock
	$(LOCK) --upgrade pyproject.toml --group dev --extra demo -o requirements-dev.lock
	$(LOCK) --upgrade --group tools -o requirements-tools.lock

clean:  ## remove .venv and what tools left behind; the cache folder of the real parts stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist verdicts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# hatchling comes from the lock file: a build of its own would fetch it without a hash.
.venv/.ready: requirements-dev.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headrace needs Python 3.11 or later: make PYTHON=...")'
	@echo "Installing into .venv what the lock file names: a minute or two the first time."
ifneq ($(UV),)
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { echo "no venv module here (Debian: python3-venv)" >&2; exit 1; }
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
endif
	@touch $@
