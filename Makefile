# `make run` runs Tributary, `make test` tests it; CONTRIBUTING.md explains the rest.

PYTHON ?= python3
TESTS ?= tests
BIN := .venv/bin
COMPILE := UV_CUSTOM_COMPILE_COMMAND='make lock' .venv/bin/uv pip compile --quiet --no-config --universal \
	--generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11

.PHONY: help run test check bench audit demo clean lock environment

help:
	@echo "make run    runs Tributary on http://127.0.0.1:8000 (HOST, PORT and DATA_DIR change that); Ctrl-C stops it"
	@echo "make test   installs what the tests need and runs all of them, on SQLite and PostgreSQL"
	@echo "make check  lint, format, types, templates"
	@echo "make bench  measures everything on both databases, within 40 minutes, and writes docs/performance.md"
	@echo "make audit  writes a bill of materials, and asks what is known against each package; needs the internet"
	@echo "make demo   runs a second Tributary with a few thousand made-up events, in data-demo/"
	@echo "make clean  removes .venv, caches and data-demo/; never data/"
	@echo "make lock   compiles the requirements*.in, and the package.json of tests/senders, with hashes"

environment:
	@$(PYTHON) jobs/environment.py run

run: environment
	@echo "Starting Tributary; Ctrl-C stops it"
	@exec $(BIN)/python -m jobs.up

test:
	@$(PYTHON) jobs/environment.py test
	@echo "Running all tests, on SQLite and PostgreSQL"
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal $(TESTS)

check:
	@$(PYTHON) jobs/environment.py test
	@echo "Checking lint, format, types and templates"
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m djlint templates --lint --quiet

# BENCH='--only ingest fresh --rows 5000' measures some of it, or less.
bench:
	@$(PYTHON) jobs/environment.py test
	@command -v wrk >/dev/null || { echo "wrk is needed (on Debian: apt-get install wrk)."; exit 1; }
	@$(BIN)/python -m bench.all --json docs/performance.json --docs docs/performance.md $(BENCH)

audit:
	@$(PYTHON) jobs/environment.py audit
	@$(BIN)/python -m jobs.audit

# The link that makes the demo's administrator is printed as in `make run`.
demo: export DATA_DIR := $(or $(DEMO_DIR),$(CURDIR)/data-demo)
demo: environment
	@echo "Filling $(DATA_DIR) with made-up events (once), then starting Tributary on it"
	@$(BIN)/python -m jobs.up --prepare
	@test -e "$(DATA_DIR)/demo-filled" || { $(BIN)/python -m flask --app wsgi demo && touch "$(DATA_DIR)/demo-filled"; }
	@exec $(BIN)/python -m jobs.up

clean:
	@echo "Removing .venv, caches and data-demo/ (data/ stays)"
	@rm -rf .venv data-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: environment
	@echo "Compiling requirements.txt, requirements-dev.txt, what tests send with and what audits"
	@$(BIN)/python -m pip install --quiet uv
	@$(COMPILE) requirements.in -o requirements.txt
	@$(COMPILE) requirements-dev.in -o requirements-dev.txt
	@$(COMPILE) requirements-senders.in -o requirements-senders.txt
	@$(COMPILE) requirements-audit.in -o requirements-audit.txt
	@cd tests/senders && npm install --package-lock-only --omit-lockfile-registry-resolved --silent --no-audit --no-fund
