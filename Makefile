# Every command installs what it needs inside this folder. Only make, Python and the package registries are needed.
SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
export UV_PYTHON_PREFERENCE ?= system
# of waitpoints_local, which one environment alone has installed
export PYTHONPATH := $(CURDIR)/clients/local/src
# of whoever starts it: neither the locale nor a home that cannot be written, where uv, npm and pip keep what they have fetched
export PYTHONUTF8 := 1
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export HOME := $(CURDIR)/.local/home
endif
unexport PYTHONDONTWRITEBYTECODE # where it is set, every process would compile all its libraries anew
MAKEOVERRIDES = # `sam build` runs make for the layers, whose own PYTHON is not that of `make client PYTHON=3.10`

UV_VERSION := 0.13.9
UV := .local/uv/bin/uv
# Without the machines that `environments` names: Lambda's are among them
LAYER = $(UV) export -q --frozen --no-hashes --no-annotate --no-header --only-group $(1) | sed 's/ ;.*//'
WAITPOINTS := .local/local/bin/waitpoints
NAMED = $(if $(STACK),--stack "$$STACK")
SETTINGS = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),'$(name)=$(subst ','\'',$(value $(name)))'))
LINT_CODE := .venv/bin/zizmor -q --offline .github && .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
LINT_CLIENT := .venv/bin/mypy --python-version 3.10 clients/python
# as `sam validate --lint`, once for all
LINT_TEMPLATES := .local/sam/bin/cfn-lint --regions us-east-1 --append-rules cfn_lint_serverless.rules -- template.yaml examples/*/template.yaml
PORT ?= 8787
export PORT STACK FOLDER INPUT PARAMETERS ENV MUTANTS VERSION REPOSITORY FROM

help: ## List the commands
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try it

run: .local/local/ready ## Run the stack on this machine and show its main job (PORT=8787, ONCE=1, PARAMETERS="NAME=VALUE …")
	@exec .local/local/bin/python -m tools.run

durable: .local/local/ready .local/sam/ready ## Run a durable function on the stack of `make run`: FOLDER=examples/durable_approval INPUT='{"order": "4711"}'
	@exec .local/local/bin/python -m tools.durable_run

invoke: .venv/ready ## Run one handler on a sample event in a stack of its own: FUNCTION=create_token EVENT=events/create_token.json
	@.venv/bin/python -m tests.support.in_process.invoke "$(FUNCTION)" "$(EVENT)"

##@ Change it

setup: .venv/ready .local/emulator/ready .local/local/ready .local/sam/ready .local/policies/ready ## Install what every other command needs

check: lint .local/emulator/ready ## Run the fast part: lint, types, and the fast tests of the stack
	@.venv/bin/python -m tests.stages check

test: setup ## Run the suite: unit, integration, faults, end to end (COVERAGE=1 measures the first two)
	@.venv/bin/python -m tests.stages test $(if $(COVERAGE),--coverage)

thorough: setup ## Run the suite in larger numbers: every fault of every call, long storms, upgrades
	@.venv/bin/python -m tests.stages thorough $(if $(COVERAGE),--coverage)

ci: setup ## Run the suite, and in larger numbers what needs no stack
	@.venv/bin/python -m tests.stages ci $(if $(COVERAGE),--coverage)

coverage: .venv/ready ## Measure the coverage of the unit and integration tests; fails below the floor in pyproject.toml
	@.venv/bin/python -m tests.stages coverage

mutants: .venv/ready ## Weaken what mutations.diff lists (MUTANTS="a part of a name"), or N=100 drawn (SEED=2 WING=…): who sees it?
	@.venv/bin/python -m tests.mutations $(if $(MUTANTS),"$$MUTANTS") $(foreach name,N SEED WING AGAIN OUT PROCESSES,$(if $($(name)),--$(name) $($(name))))

client: setup ## Install the Python client into a clean environment of PYTHON=3.12, run its tests and the README's lines
	@CLIENT_PYTHON="$(PYTHON)" .venv/bin/python -m pytest -q tests/e2e/test_client_install.py

answers: .venv/ready ## Write what the handlers answer in the tests of the Python client
	@rm -f clients/python/tests/answers/*.txt
	@WRITE_ANSWERS=1 .venv/bin/python -m pytest -q -n0 -c pyproject.toml --rootdir . clients/python/tests/cli

lint: .venv/ready .local/sam/ready ## Check style, format, types, templates, workflows, and that pinned requirements are up to date
	@{ $(LINT_TEMPLATES) && $(LINT_CLIENT); } & beside=$$!; { $(LINT_CODE); } || { wait; exit 1; }; wait $$beside
	@$(UV) lock --check -q && $(call LAYER,layer) | diff - layers/dependencies/requirements.txt
	@$(call LAYER,public-keys) | diff - layers/public_keys/requirements.txt
	@$(call LAYER,tracing --prune typing-extensions) | diff - layers/dependencies/tracing.txt

openapi: .venv/ready ## Write openapi.yaml, and what is made of it in docs/api.md and the Python client
	@PYTHONPATH=functions .venv/bin/python -m tools.openapi.document

version: .venv/ready ## Write another version of the stack and its client into every file that names it: VERSION=0.4.1.dev0
	@.venv/bin/python -m tools.version "$$VERSION"

pictures: .venv/ready ## Draw the state machines of docs/patterns.md
	@.venv/bin/python -m tools.picture

layer: $(UV) ## Write the layer's pinned requirements from uv.lock
	@$(call LAYER,layer) > layers/dependencies/requirements.txt
	@$(call LAYER,public-keys) > layers/public_keys/requirements.txt
	@$(call LAYER,tracing --prune typing-extensions) > layers/dependencies/tracing.txt

update: .venv/ready ## Move every Python dependency to its newest version: pyproject.toml, uv.lock and the layers
	@.venv/bin/python -m tools.pins
	@$(MAKE) -s layer

audit: $(UV) ## Look for known vulnerabilities of what uv.lock names (asks the database OSV)
	@$(UV) audit --frozen --preview-features audit-command

release: .venv/ready .local/sam/ready ## Make what a release consists of, in dist/VERSION: VERSION=0.4.1 (REPOSITORY=URL, for npm)
	@.venv/bin/python -m tools.release "$$VERSION" "$$REPOSITORY"

clean: ## Remove everything that these commands made
	rm -rf .venv .local .aws-sam dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/node_modules clients/*/node_modules clients/typescript/dist

##@ Deploy and operate it

deploy: .local/sam/ready ## Build the stack and deploy it to an environment of samconfig.toml, prod gradually (ENV=dev, staging, prod)
	@.local/sam/bin/python -m tools.deploy

smoke: .local/local/ready ## Prove a deployed stack by using it, here or in AWS (STACK=name, costs about a cent)
	@$(WAITPOINTS) smoke $(NAMED) $(if $(QUICK),--quick)

doctor: .local/local/ready ## Find unfinished work on the stack of `make run`, or in AWS (STACK=name)
	@$(WAITPOINTS) doctor $(NAMED)

redrive: .local/local/ready ## Finish what the doctor and the dead-letter queue hold, in either place (STACK=name)
	@$(WAITPOINTS) redrive $(NAMED)

evidence: .venv/ready ## Say in the documents what a run of examples/on_aws.sh showed: FROM=evidence
	@.venv/bin/python -m tools.on_aws.summary "$${FROM:-evidence}"

##@ Measure it

bench: .local/bench/ready .local/sam/ready .local/emulator/ready .local/local/ready ## Measure, and write docs/internals/benchmarks.md; fails where a budget is missed (BENCH="cold_start …")
	@PYTHONPATH="functions:$$PYTHONPATH" .local/bench/bin/python -m benchmarks $(BENCH)

costs: .venv/ready ## Count a wait's requests, and write docs/costs.md, scaling.md; or price a month: WAITS=1000000 TIMEOUT=24h …
	@PYTHONPATH="functions:$$PYTHONPATH" .venv/bin/python -m benchmarks.costs $(SETTINGS)

# python3.13 rather than python3: its pip trusts the system's certificates, an older pip only its own.
$(UV):
	@echo "Installing uv $(UV_VERSION)"
	@python=python3.13; $$python -V >/dev/null 2>&1 || python=python3; \
		$$python -V >/dev/null 2>&1 || { echo "python3 is missing: install Python 3.13 first" >&2; exit 1; }; \
		mkdir -p .local && rm -rf .local/uv; \
		{ $$python -m venv .local/uv && .local/uv/bin/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION); } >.local/uv.log 2>&1 \
		|| $$python -m pip install -q --disable-pip-version-check --target .local/uv --upgrade uv==$(UV_VERSION) >>.local/uv.log 2>&1 \
		|| { tail -n 3 .local/uv.log >&2; echo "uv could not be installed: python3 needs its venv or pip module, and the package registry must be reachable" >&2; exit 1; }

.venv/ready: uv.lock clients/python/pyproject.toml $(UV)
	@echo "Installing the development environment"
	@$(UV) sync -q --frozen && touch $@

.local/local/ready: clients/engine/pyproject.toml clients/local/pyproject.toml clients/python/pyproject.toml
.local/%/ready: uv.lock $(UV)
	@echo "Installing the $* environment"
	@UV_PROJECT_ENVIRONMENT=.local/$* $(UV) sync -q --frozen --only-group $* && touch $@

.PHONY: help run durable invoke setup check test thorough ci coverage mutants client answers lint openapi version pictures layer update audit release clean deploy smoke doctor redrive evidence bench costs
