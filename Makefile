# Every step is safe to repeat; steps that are up to date are skipped.
# `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# If it were set, each of the many test processes would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
MAKEFLAGS += --no-builtin-rules --no-print-directory

# A distribution's Python is faster than one that pyenv compiled without profile-guided optimization (ADR 0080).
SYSTEM_PYTHON := /usr/bin/python3
ifndef PYTHON
PYTHON := $(shell $(SYSTEM_PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
            && echo $(SYSTEM_PYTHON) || echo python3)
endif
VENV   := .venv
BIN    := $(VENV)/bin
LOCAL  := .local
STAMPS := $(LOCAL)/stamps
TOOLS  := $(LOCAL)/bin

GRPCURL_VERSION           := v1.9.4
GRPC_HEALTH_PROBE_VERSION := v0.4.61
GITLEAKS_VERSION          := v8.30.1
GHZ_VERSION               := v0.93.0
PROMTOOL_VERSION          := v0.313.0
TOXIPROXY_VERSION         := v2.5.0
HELM_VERSION              := v3.21.4
NEO4J_VERSION             := 5.18.0

MEM0_VERSIONS := 0.1.118 1.0.11 2.2.1
MEM0_CLIENTS  := $(MEM0_VERSIONS:%=$(LOCAL)/mem0/%/.installed)
# Frameworks of agents, with the packages in tests/support/adapters.
ADAPTERS      := $(LOCAL)/adapters/langgraph/.installed $(LOCAL)/adapters/adk/.installed

NEO4J_LIB := $(LOCAL)/neo4j/$(NEO4J_VERSION)/lib
NEO4J_CLASSES := $(LOCAL)/neo4j/$(NEO4J_VERSION)/classes.jsa
# Folders with Python code, if they exist.
SOURCES   := $(wildcard client server tests benchmarks scripts examples)

# Colours only on a terminal, and not if NO_COLOR is set.
ifneq ($(MAKE_TERMOUT),)
ifndef NO_COLOR
BOLD  := $(shell printf '\033[1m')
DIM   := $(shell printf '\033[2m')
PLAIN := $(shell printf '\033[0m')
endif
endif

say = printf '%s\n' '$(BOLD)==> $(1)$(PLAIN)'

.PHONY: help install run demo test chaos check format lint types imports proto proto-check wheel tools \
        neo4j golden manifests mem0-clients adapters vendor screenshots bench bench-telemetry lock \
        secrets chromium \
        clean

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / \
	  { printf "  $(BOLD)%-16s$(PLAIN) %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- installing ---------------------------------------------------------------------------------

install: $(VENV)/.installed ## Create .venv with the locked dependencies
	@:

# The lock file is complete, so nothing has to be resolved (--no-deps). For packages with extras, pip would also
# consider releases newer than the locked ones, and refuse them because they have no hash.
# The editable install takes a second and the dependencies a minute, so they are separate steps.
$(VENV)/.installed: $(VENV)/.dependencies pyproject.toml
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet \
	  --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dependencies: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Memoir needs Python 3.11 or newer as $(PYTHON); set PYTHON=/path/to/python3' >&2; exit 1; }
	@$(call say,Creating $(VENV) and installing the locked dependencies: about a minute)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check \
	  --no-deps --require-hashes --requirement requirements-dev.lock \
	  | $(BIN)/python -u scripts/pip_progress.py requirements-dev.lock
	@$(BIN)/python -m pip check --disable-pip-version-check >/dev/null || $(BIN)/python -m pip check
	@touch $@

GRPCURL           := $(STAMPS)/grpcurl-$(GRPCURL_VERSION)
GRPC_HEALTH_PROBE := $(STAMPS)/grpc-health-probe-$(GRPC_HEALTH_PROBE_VERSION)
GITLEAKS          := $(STAMPS)/gitleaks-$(GITLEAKS_VERSION)
GHZ               := $(STAMPS)/ghz-$(GHZ_VERSION)
PROMTOOL          := $(STAMPS)/promtool-$(PROMTOOL_VERSION)
TOXIPROXY         := $(STAMPS)/toxiproxy-$(TOXIPROXY_VERSION)
HELM              := $(STAMPS)/helm-$(HELM_VERSION)

tools: $(GRPCURL) $(GRPC_HEALTH_PROBE) $(GITLEAKS) $(GHZ) $(PROMTOOL) $(TOXIPROXY) $(HELM) ## Build the tools that checks and tests need (with Go)
	@:

define go-tool
	@command -v go >/dev/null || { \
	  echo 'Go is needed to build $(1): install it, then run `make tools`' >&2; exit 1; }
	@$(call say,Building $(1) $(2): up to two minutes, once)
	@mkdir -p $(STAMPS) $(TOOLS)
	@GOBIN=$(CURDIR)/$(TOOLS) go install $(3)@$(2)
	@touch $@
endef

$(GRPCURL):
	$(call go-tool,grpcurl,$(GRPCURL_VERSION),github.com/fullstorydev/grpcurl/cmd/grpcurl)

$(GRPC_HEALTH_PROBE):
	$(call go-tool,grpc-health-probe,$(GRPC_HEALTH_PROBE_VERSION),github.com/grpc-ecosystem/grpc-health-probe)

$(GITLEAKS):
	$(call go-tool,gitleaks,$(GITLEAKS_VERSION),github.com/zricethezav/gitleaks/v8)

$(GHZ):
	$(call go-tool,ghz,$(GHZ_VERSION),github.com/bojand/ghz/cmd/ghz)

# `go install` refuses Prometheus, because it replaces a dependency, so it is built in its own folder. Without
# service discovery in clouds, the build takes half the time.
PROMETHEUS := github.com/prometheus/prometheus@$(PROMTOOL_VERSION)

$(PROMTOOL):
	@command -v go >/dev/null || { \
	  echo 'Go is needed to build promtool: install it, then run `make tools`' >&2; exit 1; }
	@$(call say,Building promtool $(PROMTOOL_VERSION); about three minutes the first time)
	@mkdir -p $(STAMPS) $(TOOLS)
	@go mod download $(PROMETHEUS)
	@cd "$$(go list -m -f '{{.Dir}}' $(PROMETHEUS))" && GOWORK=off go build -mod=readonly \
	  -tags remove_all_sd,enable_dns_sd -o $(CURDIR)/$(TOOLS)/promtool ./cmd/promtool
	@touch $@

# The installed program has the name of its folder, `server`.
$(TOXIPROXY):
	$(call go-tool,toxiproxy,$(TOXIPROXY_VERSION),github.com/Shopify/toxiproxy/v2/cmd/server)
	@mv $(TOOLS)/server $(TOOLS)/toxiproxy-server

$(HELM):
	$(call go-tool,helm,$(HELM_VERSION),helm.sh/helm/v3/cmd/helm)

neo4j: $(NEO4J_LIB) ## Download the Neo4j server (needs Java 17 and Maven)
	@:

$(NEO4J_LIB): deploy/neo4j/pom.xml | $(VENV)/.installed
	@$(call say,Downloading Neo4j $(NEO4J_VERSION) with Maven: about a minute)
	@$(BIN)/python scripts/fetch_neo4j.py deploy/neo4j/pom.xml $@

# Made for the tests, which start Neo4j many times; a server that finds the file uses it too.
$(NEO4J_CLASSES): $(NEO4J_LIB)
	@$(call say,Archiving the classes of Neo4j: half a minute)
	@$(BIN)/python -m scripts.archive_neo4j $(NEO4J_LIB)

mem0-clients: $(MEM0_CLIENTS) ## Install Mem0's own clients, for the tests of HTTP (from PyPI)
	@:

adapters: $(ADAPTERS) ## Install LangGraph and ADK, for the tests of the client's adapters (from PyPI)
	@:

# Each has its own environment, because they require different versions of the same packages.
define install_alone
	@$(call say,Installing $(basename $(<F)))
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --no-deps --python $(@D)/bin/python --requirement $<
	@touch $@
endef

$(LOCAL)/mem0/%/.installed: tests/support/mem0/mem0ai-%.txt | $(VENV)/.installed
	$(install_alone)

$(LOCAL)/adapters/%/.installed: tests/support/adapters/%.txt | $(VENV)/.installed
	$(install_alone)

# Only with Debian's apt-get, and only as root, so that no test asks for a password.
chromium: ## Install Debian's Chromium, for the tests of the web page (run it as root)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] || { \
	    echo 'Chromium is missing, and installing it needs apt-get and root.' >&2; exit 1; }; \
	  $(call say,Installing Chromium: about a minute); \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; }

# --- running ------------------------------------------------------------------------------------

# The server replaces the recipe's shell, so that it receives signals directly.
run: install ## Start PostgreSQL, Neo4j and the server; Ctrl-C stops them
	@$(MAKE) neo4j || echo 'Serving without Neo4j: the graph catches up once `make neo4j` works.' >&2
	@command -v grpcurl >/dev/null || $(MAKE) --silent $(GRPCURL) || \
	  echo 'The printed command needs grpcurl: `make tools` builds it, with Go.' >&2
	@exec $(BIN)/python -m server serve

demo: install ## Send a short conversation to the running server
	@$(BIN)/python examples/demo.py

bench: install ## Measure speed, overload, a hostile project and the cost of telemetry
	@$(MAKE) neo4j
	@$(MAKE) --silent $(GHZ)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.peer
	@$(BIN)/python -m benchmarks.doors
	@$(BIN)/python -m benchmarks.overload
	@$(BIN)/python -m benchmarks.hostile
	@$(BIN)/python -m benchmarks.models
	@$(BIN)/python -m benchmarks.telemetry

bench-telemetry: install ## Measure only the cost of logs, metrics and traces
	@$(BIN)/python -m benchmarks.telemetry

# --- checking -----------------------------------------------------------------------------------

# The number of processes that share the tests, a file at a time. Each has its own databases (about 1.5 GB). Three
# keep two cores busy. All have the same hash seed, because the names of some tests depend on the order of a set.
TEST_WORKERS ?= 3

test: install ## Run every test against real PostgreSQL and Neo4j
	@$(MAKE) neo4j || echo 'Tests that need Neo4j will fail: see above.' >&2
	@$(MAKE) --silent $(NEO4J_CLASSES) || echo 'Tests start Neo4j more slowly: see above.' >&2
	@$(MAKE) --silent $(GRPCURL) $(GRPC_HEALTH_PROBE) $(GHZ) $(PROMTOOL) $(TOXIPROXY) $(HELM) || \
	  echo 'Tests that need grpcurl and the like will fail: see above.' >&2
	@$(MAKE) --silent mem0-clients || echo 'Tests of Mem0 clients will be skipped: see above.' >&2
	@$(MAKE) --silent adapters || echo 'Tests of adapters will be skipped: see above.' >&2
	@$(MAKE) --silent chromium || echo 'Tests of the web page will be skipped: see above.' >&2
	@$(call say,Tests)
	@PATH="$(CURDIR)/$(TOOLS):$$PATH" PYTHONHASHSEED=0 $(BIN)/python -m pytest \
	  --numprocesses=$(TEST_WORKERS) --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Values from the command line are passed to the test as environment variables.
chaos: export CHAOS_MINUTES := $(CHAOS_MINUTES)
# Without CHAOS_SEED, every run uses a new seed; `make test` always uses the same.
chaos: export CHAOS_SEED := $(or $(CHAOS_SEED),$(shell echo $$RANDOM))
chaos: install ## Inject faults under load and check the result (CHAOS_MINUTES=N, CHAOS_SEED=N)
	@$(MAKE) neo4j
	@$(MAKE) --silent $(GHZ) $(TOXIPROXY)
	@PATH="$(CURDIR)/$(TOOLS):$$PATH" $(BIN)/python -m pytest tests/faults/test_chaos.py -q -s

check: lint imports types proto-check secrets test ## Run everything that CI checks: lint, types, contract, secrets, tests

format: install ## Format the code and sort its imports
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format .

lint: install ## Check format and lint rules
	@$(call say,Format)
	@$(BIN)/ruff format --check .
	@$(call say,Lint)
	@$(BIN)/ruff check .

imports: install ## Check that imports between rooms and layers go one way
	@$(call say,Imports between layers)
	@$(BIN)/lint-imports --config pyproject.toml --no-cache

types: install ## Check types (mypy --strict)
	@$(call say,Types)
	@$(BIN)/mypy $(SOURCES)

proto: install ## Generate the stubs from protos/
	@$(BIN)/python -m scripts.generate_protos

proto-check: install ## Check the contract, and that the stubs are current
	@$(call say,Contract)
	@$(BIN)/python -m scripts.check_protos

secrets: $(GITLEAKS) ## Scan the history and the files for secrets
	@$(call say,Secrets)
	@scripts/scan_secrets.sh $(TOOLS)/gitleaks

screenshots: install ## Recreate the pictures in docs/images from a busy server
	@$(MAKE) neo4j
	@$(MAKE) --silent chromium
	@$(BIN)/python -m scripts.screenshots

golden: install ## Render the SQL statements into golden files, for tests and reviews
	@$(BIN)/python -m tests.support.rendered_statements

manifests: install ## Render the Helm chart into deploy/kubernetes
	@$(MAKE) --silent $(HELM)
	@PATH="$(CURDIR)/$(TOOLS):$$PATH" $(BIN)/python -m scripts.render_manifests

vendor: install ## Download the web page's libraries from npm again, and check their digests
	@$(BIN)/python scripts/vendor_page.py

# --- building -----------------------------------------------------------------------------------

wheel: install ## Build the wheel with the Python client and the stubs into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --quiet $(LOCK_ARGS)

lock: install ## Resolve the lock files again (LOCK_ARGS=--upgrade for newer versions)
	@$(call say,Resolving the lock files)
	@$(LOCK) --extra server --group dev --output-file requirements-dev.lock
	@$(LOCK) --extra server --constraints requirements-dev.lock --output-file requirements.lock

clean: ## Remove .venv, caches and build output; data and downloads in .local stay
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache
	@find client server tests benchmarks scripts examples generated -name __pycache__ -type d \
	  -exec rm -rf {} + 2>/dev/null || true
