# Everything a newcomer needs is `make demo` and `make test`; both build into .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(wildcard ext/dicomseal/*)
BUILT := $(VENV)/.built

.PHONY: help demo test lint types bench clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

$(BUILT): $(SOURCES)
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade pip
	$(RUN)/python -m pip install --quiet --group dev
	$(RUN)/python -m pip install --quiet --no-build-isolation --editable .
	touch $(BUILT)

demo: $(BUILT) ## build, make a PKI, sign real files, tamper with one, verify all, show the report
	$(RUN)/dicomseal demo

test: $(BUILT) ## the whole test suite, on both backends
	$(RUN)/python -m pytest --numprocesses 2

lint: $(BUILT) ## style
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: $(BUILT) ## strict types, and the stubs of the compiled modules against the modules
	$(RUN)/mypy
	$(RUN)/python -m mypy.stubtest dicomseal._encoder_c dicomseal._index_c dicomseal._file_c

bench: $(BUILT) ## benchmarks against the floor, DCMTK, dcmsign, the pure twin and pydicom; writes bench/RESULTS.md
	$(RUN)/python -m pip install --quiet --group bench
	mkdir -p bench/.cache
	$(RUN)/python -m bench.workloads ct sr_small jpeg
	$(RUN)/python -m pytest bench/test_micro.py -W "ignore:Not saving anything" \
		--benchmark-json bench/.cache/micro.json
	$(RUN)/python -m bench

clean: ## remove everything that was built
	rm -rf $(VENV) build dist src/*.egg-info src/dicomseal/*.so src/dicomseal/_pure_build
