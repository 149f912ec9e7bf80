# Every target works from a fresh clone: `setup` makes .venv, and does nothing when it is up to date.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.outlive-setup

.PHONY: setup test check demo bench bench-large bench-ui screenshots bench-ledger bench-quota acceptance conformance rpcs lock
setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock scripts/setup.sh
	PYTHON=$(PYTHON) sh scripts/setup.sh

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_text.py

demo: setup
	$(BIN)/python -m examples.research_pipeline.demo

bench: setup
	$(BIN)/python -m benchmarks

bench-large: setup
	$(BIN)/python -m benchmarks.large

bench-ui: setup
	$(BIN)/python -m benchmarks.ui

screenshots: setup
	$(BIN)/python scripts/screenshots.py

bench-ledger: setup
	$(BIN)/python -m benchmarks.ledger

bench-quota: setup
	$(BIN)/python -m benchmarks.quota
	$(BIN)/python -m benchmarks.quota --away

bench-conversations: setup
	$(BIN)/python -m benchmarks.conversations

acceptance: setup
	$(BIN)/python scripts/acceptance.py

conformance: setup
	$(BIN)/python scripts/conformance.py

rpcs: setup
	$(BIN)/python scripts/rpc_table.py

lock: setup
	sh scripts/lock.sh
