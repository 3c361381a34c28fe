# Everything a newcomer needs is `make demo` and `make test`; both build into .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
SOURCES := pyproject.toml setup.py requirements/dev.txt $(wildcard ext/dicomseal/*/*)
BUILT := $(VENV)/.built
# every file is checked against its hash, and nobody else's build script runs: what a source
# distribution would build with is not pinned
WHEELS := --only-binary :all:
PINNED := install --quiet --require-hashes $(WHEELS) --requirement
SUPPLY := build/supply
SUPPLIED := $(SUPPLY)/.built

# what the fuzzing targets run for, in seconds
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= twins index encoder verify roundtrip remove

# how many mutants the differential test makes, or for how many seconds
DIFFERENTIAL ?= --count 20000

# four years ahead, a leap day in UTC, and the last seconds of a year
DAYS := +1500days 2028-02-29T12:00:00Z 2030-12-31T23:59:50Z
# what certificates, timestamps and ledgers have to do with the day, as far as it is soon done
FAST := $(wildcard tests/verification/test_verifier.py tests/verification/test_threats*.py \
	tests/verification/test_best_signature_time.py tests/signature/test_bad_certificates.py \
	tests/trust/test_store.py tests/trust/test_judge.py tests/trust/test_loading.py \
	tests/trust/test_trust_settings.py tests/trust/test_revo*.py tests/docs/test_trust.py \
	tests/timestamps/*.py tests/keys/test_signing_key.py tests/signing/test_policy.py \
	tests/archive/test_archive.py tests/archive/test_ledger.py tests/archive/test_diff.py \
	tests/archive/test_proof_of_existence.py tests/archive/test_walk.py \
	tests/cli/test_cli.py tests/cli/test_verify.py tests/cli/test_sign.py)

# some tests of every room on the data path, half a minute on two cores; no test that needs a peer
# or runs another type checker
QUICK := $(filter-out tests/test_hasher_types.py,$(wildcard tests/test_*.py)) \
	tests/package/test_house.py tests/package/test_supply.py \
	tests/docs/test_reports.py tests/encoding/test_index.py tests/encoding/test_index_malformed.py \
	tests/encoding/test_encodings.py tests/encoding/test_blocks.py tests/files/test_file_meta.py \
	tests/signature/test_bad_certificates.py tests/trust/test_judge.py tests/trust/test_loading.py \
	tests/trust/test_revocation.py tests/keys/test_signing_key.py tests/keys/test_key_files.py \
	tests/timestamps/test_token.py tests/verification/test_verifier.py \
	tests/verification/test_coverage.py tests/verification/test_threats.py \
	tests/signing/test_sign_file.py
# what is read by people; right words that no dictionary has are in tools/words.txt
SPELT := src ext tests tools bench differential docs contrib fuzz *.md *.toml Makefile setup.py .ci/run

.PHONY: help another-day check demo docs test test-random lint types bench pins pins-check audit sbom fuzz differential agreement sanitize clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

$(BUILT): $(SOURCES)
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip $(PINNED) requirements/dev.txt
	$(RUN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(RUN)/python -m pip check
	touch $(BUILT)

$(SUPPLIED): requirements/supply.txt
	test -x $(SUPPLY)/bin/python || $(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/python -m pip $(PINNED) requirements/supply.txt
	touch $(SUPPLIED)

demo: $(BUILT) ## build, make a PKI, sign real files, tamper with one, verify all, show the report
	$(RUN)/dicomseal demo

test: $(BUILT) ## the whole test suite, on both backends
	$(RUN)/python -m pytest --numprocesses 2

another-day: $(BUILT) ## the fast tests on other days (needs Debian's faketime)
	@set -e; for day in $(DAYS); do \
		echo "on $$day"; \
		faketime "$$day" $(RUN)/python -m pytest --numprocesses 2 -p no:cacheprovider $(FAST); done

test-random: $(BUILT) ## the whole test suite in a random order; SEED=N for that of an earlier run
	$(RUN)/python -m pytest --numprocesses 2 -p randomly --randomly-dont-reset-seed \
		$(if $(SEED),--randomly-seed=$(SEED))

check: lint types ## before a commit, in less than a minute: style, types, and the quick tests
	$(RUN)/python -m pytest --numprocesses 2 -q $(QUICK)

lint: $(BUILT) ## style and spelling
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/python tools/prose.py
	$(RUN)/codespell $(SPELT)

types: $(BUILT) ## strict types, and the stubs of the compiled modules against the modules
	$(RUN)/mypy
	$(RUN)/python -m mypy.stubtest --ignore-unused-allowlist --allowlist tools/stubs-without.txt \
		dicomseal.encoding._encoder_c dicomseal.encoding._index_c \
		dicomseal.encoding._dataset_c dicomseal.files._file_c dicomseal.files._opener_c

bench: $(BUILT) ## benchmarks against the floor, DCMTK, dcmsign, the pure twin and pydicom; writes bench/RESULTS.md
	$(RUN)/python -m pip $(PINNED) requirements/bench.txt
	mkdir -p bench/.cache
	$(RUN)/python -m bench.workloads ct sr_small jpeg
	$(RUN)/python -m pytest bench/test_micro.py -W "ignore:Not saving anything" \
		--benchmark-json bench/.cache/micro.json
	$(RUN)/python -m bench

pins: $(SUPPLIED) ## requirements/*.txt anew from pyproject.toml; with UPGRADE=--upgrade the newest of all
	$(SUPPLY)/bin/python tools/pins.py $(UPGRADE)

pins-check: $(SUPPLIED) ## whether requirements/*.txt are what pyproject.toml asks for
	$(SUPPLY)/bin/python tools/pins.py --check

audit: $(SUPPLIED) ## known vulnerabilities in what is pinned; AUDIT="--vulnerability-service osv" asks another
	@set -e; for set in run dev bench fuzz differential docs supply; do \
		echo "requirements/$$set.txt"; \
		$(SUPPLY)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
			$(AUDIT) --requirement requirements/$$set.txt || { \
			echo "make audit: NOT clean. Either an advisory is named above, or not every package" \
				"could be asked about (no service, no answer): then nothing is known." >&2; \
			exit 1; }; \
	done

sbom: $(SUPPLIED) ## build/sbom.cdx.json (CycloneDX): what the package needs at run time
	rm -rf build/sbom && $(PYTHON) -m venv --without-pip build/sbom
	$(SUPPLY)/bin/python -m pip --python build/sbom/bin/python $(PINNED) requirements/run.txt
	$(SUPPLY)/bin/python tools/sbom.py build/sbom

fuzz: $(BUILT) ## each fuzzing target for FUZZ_SECONDS, with coverage (needs clang and pip's atheris)
	$(RUN)/python -m pip $(PINNED) requirements/fuzz.txt
	for target in $(FUZZ_TARGETS); do \
		$(RUN)/python -m fuzz $$target --core coverage --seconds $(FUZZ_SECONDS) || exit 1; done

differential: $(BUILT) ## what passes, shown to pydicom, GDCM, SimpleITK and dcmdump; DIFFERENTIAL="--count N"
	$(RUN)/python -m pip $(PINNED) requirements/differential.txt
	$(RUN)/python -m differential $(DIFFERENTIAL)

agreement: $(BUILT) ## real files of packages and of pydicom, by dicomseal and dcmsign; writes docs/agreement.md
	nice $(RUN)/python -m differential.agreement --packages build/packages --write docs/agreement.md

docs: $(BUILT) ## the documentation as a site, build/docs/html, and as man pages, build/docs/man
	$(RUN)/python -m pip $(PINNED) requirements/docs.txt
	for kind in html man; do \
		$(RUN)/python -m sphinx --quiet --fail-on-warning --conf-dir docs \
			--builder $$kind . build/docs/$$kind || exit 1; done

sanitize: $(BUILT) ## tests and a fuzz of FUZZ_SECONDS with AddressSanitizer and UBSan (needs gcc)
	$(RUN)/python -m fuzz.sanitize --seconds $(FUZZ_SECONDS)

clean: ## remove everything that was built
	rm -rf $(VENV) build dist fuzz/.cache src/*.egg-info src/dicomseal/*/*.so src/dicomseal/_pure_build
