# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
# Python 3.11 or newer: PYTHON=python3.12 make run
PYTHON ?= python3

BIN := .venv/bin
RUN := $(BIN)/python -m
FLASK := $(RUN) flask --app wsgi
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard */translations/*/LC_MESSAGES/messages.po))
VENDOR := marketplace/static/vendor/.complete

# Code that was compiled once is kept, else every process that starts compiles all of it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test lint types layers pytest format check demo code kills histories fuzz bench bench-big bench-report setup vendor translations lock

help: ## list every task
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sort | \
		awk -F ':.* ## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: setup ## install what is missing and open the shop on PORT (8000)
	@exec $(RUN) marketplace.launch --with-parent

test: setup .venv/.tests ## formatting, types, layers and every test, browser included
	@sh marketplace/setup/system-packages.sh
	@$(MAKE) --no-print-directory lint types layers pytest

lint: .venv/.tests ## formatting and lint
	$(RUN) ruff format --check .
	$(RUN) ruff check .

types: .venv/.tests ## types, strictly
	$(RUN) mypy

layers: .venv/.tests ## imports only go down
	$(BIN)/python $(BIN)/lint-imports

pytest: setup .venv/.tests ## tests only
	$(RUN) pytest -n 4

format: .venv/.tests ## put the code into shape
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

check: setup ## check every law over the whole database
	@$(FLASK) check

demo: setup ## load the demo afresh
	@$(FLASK) demo load

bench: setup ## how fast it is, beside pgbench and a bare Flask (6 minutes)
	@$(RUN) bench

bench-big: setup ## the same with 100,000 offers and a million past lines (10 minutes)
	@BENCH_OFFERS=100000 BENCH_PAST_LINES=1000000 BENCH_JSON=var/bench-big.json $(RUN) bench

bench-report: setup ## what the channel report of a year of a million lines costs (6 minutes)
	@$(RUN) bench.report

code: setup ## print the code with which the demo's staff confirm money
	@$(FLASK) demo code

kills: setup .venv/.tests ## kill web workers, job worker and PostgreSQL 50 times while buyers buy (3 minutes)
	@exec $(RUN) tests.death

histories: setup .venv/.tests ## tell new random histories of a whole market and check the laws (10 minutes)
	@HISTORIES_MINUTES=$${HISTORIES_MINUTES:-10} $(RUN) pytest -q tests/histories

fuzz: setup .venv/.tests ## fuzz the API from its own document, and every form (10 minutes)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} $(RUN) pytest -q -s tests/fuzz

setup: .venv/.app $(VENDOR) translations ## install what is missing, without starting anything

vendor: $(VENDOR) ## fetch the front-end files that package.json names

translations: $(CATALOGUES) ## compile the translations

lock: .venv/.app ## pin exact versions with hashes anew
	$(RUN) pip install --quiet uv==0.13.9
	for name in requirements requirements-dev requirements-node; do \
		$(RUN) uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
			--python-version 3.11 $$name.in -o $$name.txt || exit 1; \
	done
	npm install --package-lock-only

.venv/.app: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: PYTHON=python3.11 make run")'
	@echo "Installing the application's packages into .venv (about two minutes, once)"
	@$(PYTHON) -m venv .venv
	@$(RUN) pip install --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.tests: requirements-dev.txt .venv/.app
	@echo "Installing what the tests need into .venv (about one minute, once)"
	@$(RUN) pip install --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENDOR): package-lock.json marketplace/setup/vendor.py marketplace/static/css/icons.css | .venv/.app
	@$(BIN)/python marketplace/setup/vendor.py
	@touch $@

%.mo: %.po | .venv/.app
	@$(RUN) babel.messages.frontend --quiet compile --use-fuzzy -i $< -o $@
