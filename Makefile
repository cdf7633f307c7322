# The verbs of the project; each sets up what it needs in .venv and says what it does.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The first interpreter that runs and is 3.11 or newer; name another with `make test PYTHON=/path/to/python3.12`.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$name"; break; fi; done)

VENV := .venv
BIN := $(VENV)/bin
SETUP := Makefile setup.cfg pyproject.toml constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Standard output belongs to what a verb prints: `make -s demo ARGS=--json | jq` gets JSON and nothing else.
say = @printf >&2 '\n\033[1m==> %s\033[0m\n'

.PHONY: help demo app test lint types imports pytest test-desktop fuzz bench bench-collect bench-desktop bench-judge \
    bench-store screenshots docs wheel oldest slim matrix clean

help: ## Show the verbs.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

demo: $(VENV)/.demo ## Send, open, click, count (ARGS=--keep lets it run on).
	$(say) "Demo"
	@$(BIN)/mailnod demo $(ARGS)

app: $(VENV)/.desktop ## Open the inspector (ARGS="mail.eml --database mailnod.db").
	$(say) "Inspector"
	@$(BIN)/mailnod-desktop $(ARGS)

test: $(VENV)/.dev lint types imports ## Run all that must hold: style, types, tests, docs.
	$(say) "Tests here, and meanwhile on other Pythons, whose output follows"
	@$(MAKE) --no-print-directory slim > $(VENV)/slim.log 2>&1 & slim=$$!; failed=; \
	    trap 'kill $$slim 2>/dev/null || true' INT TERM; \
	    $(MAKE) --no-print-directory pytest || failed=pytest; \
	    $(MAKE) --no-print-directory test-desktop || failed="$$failed test-desktop"; \
	    wait $$slim || failed="$$failed slim"; cat $(VENV)/slim.log; test -z "$$failed"
	@$(MAKE) --no-print-directory docs
	$(say) "All checks passed"

lint: $(VENV)/.dev ## Check style and format.
	$(say) "Lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types, strictly.
	$(say) "Types"
	@$(BIN)/mypy

imports: $(VENV)/.dev ## Check that imports respect the floors.
	$(say) "Import floors"
	@$(BIN)/lint-imports

pytest: $(VENV)/.dev ## Run the tests with coverage (ARGS are pytest's).
	$(say) "Tests"
	@$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

# Each kind of window in a process of its own: what ends a browser engine must not end the other tests.
window_tests = timeout 900 $(BIN)/python -m pytest -p pytestqt.plugin -p no:cacheprovider
offscreen = QT_QPA_PLATFORM=offscreen $(window_tests)
on_screen = QT_QPA_PLATFORM=xcb xvfb-run -a -s '-screen 0 1600x1000x24' $(window_tests)

test-desktop: $(VENV)/.dev ## Run the tests of the window, offscreen and on a virtual screen.
	$(say) "Tests of the window"
	@$(BIN)/python desktop/check_libraries.py; case $$? in 0) ;; 3) exit 0 ;; *) exit 1 ;; esac; \
	    failed=; \
	    $(offscreen) tests/desktop/widgets || failed=widgets; \
	    $(offscreen) tests/desktop/web || failed="$$failed web"; \
	    $(on_screen) tests/desktop/window || failed="$$failed window"; \
	    test -z "$$failed" || { echo "failed: $$failed" >&2; exit 1; }

oldest: $(VENV)/.dev ## Check the lower bounds of setup.cfg, in a fresh place.
	$(say) "Lower bounds"
	@$(BIN)/python -m pytest tests/packaging/test_oldest.py $(ARGS)

fuzz: $(VENV)/.dev ## Feed rewriting and tokens with inputs that evolve.
	$(say) "Fuzzing, half a minute each"
	@for target in fuzz_scan fuzz_tokens; do $(BIN)/python tests/fuzz/run.py $$target -max_total_time=30; done

slim: $(VENV)/.dev ## Run a part of the tests on each other Python and Django.
	$(say) "Other Pythons and Djangos"
	@$(BIN)/nox --tags slim

matrix: $(VENV)/.dev ## Run each Python with each Django, old and new packages.
	$(say) "Every Python with every Django"
	@$(BIN)/nox $(ARGS)

bench: $(VENV)/.dev ## Measure speeds, beside other libraries in the same run.
	$(say) "Benchmarks"
	@$(BIN)/python -m benchmarks $(ARGS)

bench-collect: $(VENV)/.dev ## Measure the collector beside nginx and Django, by wrk.
	$(say) "Collector"
	@$(BIN)/python -m benchmarks collect hit

bench-judge: $(VENV)/.dev ## Measure how well and how fast hits are judged, beside what is asked.
	$(say) "Benchmark of the judge"
	@$(BIN)/python -m benchmarks judge

bench-store: $(VENV)/.dev ## Fill a store and time every query (ARGS=10000000).
	$(say) "The store, when it is full"
	@$(BIN)/python -m benchmarks.bench_store $(ARGS)

bench-desktop: $(VENV)/.dev ## Measure the inspector, with a million events.
	$(say) "The inspector"
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m benchmarks.bench_desktop $(ARGS)

screenshots: $(VENV)/.dev ## Render the main views, light and dark, into docs/images.
	$(say) "Pictures of the inspector"
	@xvfb-run -a -s '-screen 0 1600x1000x24' $(BIN)/python docs/screenshots.py $(ARGS)

docs: $(VENV)/.dev ## Build docs/_build/html; a warning is an error.
	$(say) "Documentation"
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

wheel: $(VENV)/.dev ## Build the wheel into dist/.
	$(say) "Wheel"
	@rm -rf build
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## Remove everything that the verbs made.
	rm -rf $(VENV) build dist docs/_build .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .nox

# -- set-up ---------------------------------------------------------------------------------------------------------------

install = $(BIN)/python -m pip install --constraint constraints.txt

$(VENV)/.demo: $(VENV)/.python $(SETUP)
	$(say) "Installing Mailnod and what the demo needs (a minute or so)"
	@$(install) --no-build-isolation --editable '.[demo,serve]' | sed '/already satisfied/d' >&2
	@touch $@

$(VENV)/.desktop: $(VENV)/.python $(SETUP)
	$(say) "Installing Mailnod and the inspector (some minutes the first time)"
	@$(install) --no-build-isolation --editable '.[demo,desktop-web]' | sed '/already satisfied/d' >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.python $(SETUP)
	$(say) "Installing Mailnod and everything that its tests need (some minutes the first time)"
	@$(install) --no-build-isolation --editable '.[demo,serve,test,docs,bench]' | sed '/already satisfied/d' >&2
	@touch $@ $(VENV)/.demo $(VENV)/.desktop

$(VENV)/.python: constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
	    echo "Mailnod needs Python 3.11 or newer and found none. Install it with:" >&2; \
	    echo "    sudo apt-get install python3.11 python3.11-venv        (Debian 12; python3 python3-venv on later ones)" >&2; \
	    echo "or name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	    echo "$(PYTHON) does not run or is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
	    version=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    echo "$(PYTHON) cannot make virtual environments. Install the missing piece with:" >&2; \
	    echo "    sudo apt-get install python$$version-venv" >&2; exit 1; fi
	$(say) "Making the virtual environment $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(install) pip setuptools | sed '/already satisfied/d' >&2
	@touch $@
