# `make` alone lists the targets. Another interpreter: `make test PYTHON=python3.13`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SETTINGS := settings.ini setup.py constraints.txt
LOCK := requirements-dev.lock

.PHONY: help demo test faults lint types docs browser-test lab bench measure export \
	book clean-notebooks hooks wheel-test lock audit clean
.DEFAULT_GOAL := help

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

demo: .venv/runtime  ## find a program from its examples, in a minute or two
	$(BIN)/neural_compile induce fibonacci_seeded --space language --report found.html

test: .venv/dev  ## run every check: notebooks clean, modules fresh, notebooks run, pytest passes
	$(BIN)/python tools/check.py

faults: .venv/dev  ## damage files, fuzz, poison, kill and interrupt: a quarter of an hour
	$(BIN)/python tools/check.py faults

lint: .venv/dev  ## ruff: style and line length, in notebooks too
	$(BIN)/python tools/check.py lint

types: .venv/dev  ## mypy
	$(BIN)/python tools/check.py types

docs: .venv/dev  ## build the site into docs/_site: the notebooks, run, and the API reference
	$(BIN)/python tools/docs.py

browser-test: .venv/dev  ## try JupyterLab and the built site in a headless Chromium, as a person would; needs `make docs` first
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/browser

lab: .venv/dev  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab nbs

bench: .venv/runtime  ## measure speed
	$(BIN)/neural_compile bench

export: .venv/dev  ## write the modules from the notebooks
	$(BIN)/python tools/export.py

book: .venv/dev  ## write the tables of chapters in README, CONTRIBUTING and index
	$(BIN)/python tools/book.py

hooks: .venv/dev  ## let git check style, types and exports before each commit
	$(BIN)/pre-commit install

clean-notebooks: .venv/dev  ## strip outputs and metadata from the notebooks
	$(BIN)/nbdev_clean

measure: .venv/dev  ## make the recorded results again (some hours, alone on the machine; `rm -r cells` to measure all of the paper's table again)
	for k in 0 1 2 3 4 5 6 7 8 9; do $(BIN)/neural_compile induce fibonacci_seeded --space language --key $$k --json; done > results/demo.jsonl
	rm -f results/tasks.json && $(BIN)/neural_compile tasks --measure results/tasks.json
	$(BIN)/neural_compile bench --full --json > results/bench.json
	rm -f results/synthesis.json && $(BIN)/python tools/measure_synthesis.py
	$(BIN)/neural_compile table1 --folder cells/table1 --save results/table1.json
	for s in dataset ablation sensitivity efficiency walks; do $(BIN)/neural_compile study $$s --folder cells/$$s --save results/$$s.json; done
	$(BIN)/neural_compile arena recurrences-test --rivals language,assembly,walks,genetic,rounds,all,induce --folder cells/arena --save results/arena.json
	$(BIN)/neural_compile arena interpreters --rivals language,assembly,walks,genetic,edits,rounds,cells,all --folder cells/arena --save results/arena.json
	$(BIN)/neural_compile arena lists-test --rivals edits,all --folder cells/arena --save results/arena.json
	for key in 1 2; do for suite in recurrences-test interpreters lists-test; do \
	  $(BIN)/neural_compile arena $$suite --rivals all --key $$key --folder cells/arena --save results/arena.json; \
	done; done
	$(BIN)/python tools/measure_walks.py
	$(BIN)/python tools/measure_prior.py
	$(BIN)/python tools/measure_networks.py
	$(BIN)/python tools/measure_populations.py
	$(BIN)/python tools/measure_macros.py
	$(BIN)/python tools/measure_sorting.py
	$(BIN)/python tools/measure_shortening.py
	$(BIN)/python tools/measure_adaptation.py
	$(BIN)/python tools/measure_layers.py
	$(BIN)/python tools/measure_repeatability.py
	$(BIN)/python tools/measure_workers.py
	$(BIN)/python tools/results_table.py

wheel-test: .venv/dev  ## build the wheel and use it in a new environment, away from this folder
	$(BIN)/python tools/wheel_test.py

lock:  ## write requirements-dev.lock: every package with its hashes, after a change to constraints.txt
	$(PYTHON) tools/lock.py

audit:  ## ask whether the pinned packages have known vulnerabilities, if a service can be reached
	$(PYTHON) tools/audit.py

clean:  ## remove .venv, builds and caches
	rm -rf .venv build dist docs/_site _proc .pytest_cache .hypothesis *.egg-info
	find neural_compile nbs tests tools -name __pycache__ -prune -exec rm -rf {} +

# Set-up runs once, and again when the requirements change.
.venv/created: tools/venv.sh
	PYTHON="$(PYTHON)" sh tools/venv.sh
	@touch $@

# LOCKED=1, as CI sets it: no file is installed whose hash is not in the lock.
ifdef LOCKED
.venv/dev: .venv/created $(SETTINGS) $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch .venv/runtime $@

.venv/runtime: | .venv/dev
else
.venv/runtime: .venv/created $(SETTINGS)
	$(PIP) --editable .
	@touch $@

.venv/dev: .venv/runtime
	$(PIP) --editable ".[dev]"
	@touch $@
endif
