# The operator's front door. Each target is one line that calls a tool; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
OPS := $(BIN)/postroad-ops
STACK ?= local
COUNT ?= 100
DOMAIN ?= gmail.test

.PHONY: help env up test down status watch send deploy rollback plan package bench soak lock format check

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | while IFS=$$'\t' read -r t d; do printf '  %-10s %s\n' "$$t" "$$d"; done

env: ## install what is missing: Debian packages, .venv, the Pulumi engine
	@tools/env.sh

up: env ## from a fresh machine to delivered mail; again: no change
	@$(OPS) up $(if $(VERBOSE),--verbose)

test: env ## everything that must hold, fast to slow
	@$(OPS) test

down: env ## remove the region and all it started, nothing else
	@$(OPS) down

status: env ## the region: hosts, releases, health, providers; JSON=1 for machines
	@$(OPS) status $(if $(JSON),--json)

watch: env ## the same, kept on the screen until Ctrl-C
	@$(OPS) status --watch

send: env ## mail through every MTA, then a report: COUNT=n [DOMAIN=…] [RATE=…] [JSON=1]
	@$(OPS) send --count $(COUNT) --domain $(DOMAIN) $(if $(RATE),--rate $(RATE)) $(if $(JSON),--json)

deploy: env ## move every host to a release: RELEASE=id, or RELEASE=latest for this checkout
	@$(OPS) deploy --release "$(RELEASE)"

rollback: env ## back to the release before
	@$(OPS) rollback

plan: env ## pulumi preview of every project of a stack, with policies: STACK=…
	@$(OPS) plan --stack $(STACK)

package: env ## build the release artifact of this checkout into dist/
	@$(OPS) package

bench: env ## measure, and write bench/results/<suite>.json: SUITE=mta|region [ROUNDS=n] [CASE=name [MESSAGES=n]]
	@$(if $(MESSAGES),POSTROAD_MESSAGES=$(MESSAGES)) $(BIN)/postroad-bench --suite "$(SUITE)" $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(CASE),--case $(CASE))

soak: env ## the facts of make test with full counts; writes bench/results/soak.json
	@$(BIN)/postroad-bench --suite soak

check: env ## lint and types only
	@$(OPS) check

format: env ## format Python, Packer and shell sources
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: env ## resolve dependencies again and write the locks with hashes
	@tools/lock.sh
