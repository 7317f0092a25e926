# Everything a person or CI runs. `make demo` and `make test` install what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test run lint format lock guarantees guarantees-quick mutants bench

install: $(STAMP)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("moneyback needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: install
	$(BIN)/moneyback demo

# Two at a time: half of a test run is waiting for servers and clocks.
test: install
	$(BIN)/python -m pytest -n 2

run: install
	$(BIN)/moneyback up

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:randomly tests/house

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock files name no host: uv writes them without addresses.
lock: install
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		pyproject.toml --extra postgres --extra redis --group dev -o requirements/dev.txt >/dev/null
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		pyproject.toml --extra postgres --extra redis -o requirements/production.txt >/dev/null

# The full run takes up to half an hour on two cores, the quick one a tenth of everything.
guarantees: install
	$(BIN)/python -m tests.guarantees.run --page

guarantees-quick: install
	$(BIN)/python -m tests.guarantees.run --quick --seed 77

# By hand, not in CI: changes the rules of money and keys one by one, and sees whether a test notices.
mutants: install
	$(BIN)/python -m tests.mutation.run --page

bench: install
	$(BIN)/python -m bench.run
