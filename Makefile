# make run    everything on this machine, with a first order
# make test   everything that must hold
# make bench  the figures
# make soak   an hour of kills and misbehaving partners, then an audit, then a fuzzer on both
#             databases; SOAK="--minutes 5 --seed 2"
# make clean  away with what make made; the orders in .waybill stay
#
# Needs Python 3.11 or newer, nothing else.

.DEFAULT_GOAL := run
.PHONY: run test types suite bench soak clean prism

VENV := .venv
BIN := $(VENV)/bin
# What was installed is known by the content of pyproject.toml, not by its date.
KEY := $(shell cksum pyproject.toml | cut -d' ' -f1)
INSTALLED := $(VENV)/installed-$(KEY)
INSTALLED_DEV := $(VENV)/installed-dev-$(KEY)

run: $(INSTALLED)
	@$(BIN)/waybill up

# Three at a time: what waits for a broker's time-outs runs beside what needs the processor.
test: $(INSTALLED_DEV) prism
	$(BIN)/ruff check
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -j 2 types suite

types: $(INSTALLED_DEV)
	nice $(BIN)/mypy

suite: $(INSTALLED_DEV)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks

soak: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks.soak $(SOAK)
	$(BIN)/python -m benchmarks.fuzzing --minutes 10

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@sh scripts/make-venv $(VENV)

$(INSTALLED): | $(BIN)/python
	@echo "Installing Waybill into $(VENV), once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@echo "Installing what the tests need, once."
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

# Checks our requests against the partners' OpenAPI documents; the one thing that needs Node.js.
prism:
	@if command -v npm >/dev/null; then sh scripts/npm.sh prism; \
	else echo "No npm on PATH: Prism checks no requests (https://nodejs.org)." >&2; fi
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	echo "No Chromium on PATH: the console is not tried in a browser (apt-get install chromium)." >&2
