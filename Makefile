# make demo: a master dark from simulated raws. make test: the tests. make test-slow: the long ones.
# make coverage: what the tests take. make test-numpy: the tests without the compiled kernel.
# make test-newest: with the newest of every dependency. make test-oldest PYTHON=python3.11: with the
# oldest that setup.py allows. make sanitize: the kernel with every access to memory checked.
# make reference: what is made from the program, anew: schemas, settings.yaml, tables, manual page.
# make real-data: raw frames of a real camera, for the tests that need them.
# make check: lint, and bandit over the code. make audit: known faults of what it depends on (network).
# make package-check: what is published, installed and run in empty environments.
# make fuzz: the readers of files, guided by coverage (SECONDS_EACH=300: of each target).
# make docs: the handbook, into docs/_build/index.html. make evidence: its figures, measured anew.
# make bench: speed beside other programs (BENCH=--quick: small frames, BENCH=--help: more).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
REAL_DATA := real-data
WORKERS ?= auto
NEWEST := build/newest
OLDEST := build/oldest
comma := ,
space := $(subst ,, )
SECONDS_EACH ?= 300
FOUND := build/fuzz
PIP := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip --disable-pip-version-check
# An old pip builds what has no wheel in a way of its own, and says at length that it will not.
INSTALL := $(PIP) install --quiet --use-pep517

# One vector width: the check of the widest would need a machine that has it.
CHECKED := -O1 -g -DSD_ONE_TARGET -fsanitize=address,undefined -fno-sanitize-recover=all
CHECKED_IN := build/checked

.PHONY: help demo test test-slow test-numpy test-newest test-oldest coverage real-data bench schema \
    man docs reference evidence lint check audit fuzz sanitize dist wheel-check sdist-check \
    package-check clean

help:
	@sed -n '1,/^PYTHON/s/^# //p' Makefile

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python setup.py pyproject.toml constraints.txt $(wildcard soxsdark/*.[ch])
	$(INSTALL) --editable '.[test,lint]'
	@touch $@

demo: $(VENV)/.installed
	rm -rf $(DEMO)
	$(BIN)/soxsdark simulate $(DEMO)/raw --arm NIR --frames 5
	$(BIN)/soxsdark mdark $(DEMO)/raw/darks.sof --output $(DEMO)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) -q -m "not slow"

test-slow: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) -q -m slow

# Lines and branches that the tests take; the numerical core is taken whole, on both paths.
CORE := level noise_model stacking noise_map flags block differences medians slope grid chi_square \
    combine utilities stack_input electrons sampling saturation detector_noise frame_noise
coverage: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) -q -m "not slow" --cov --cov-report=
	$(BIN)/coverage report --skip-covered
	$(BIN)/coverage report --fail-under=100 --show-missing --skip-covered \
	    --include="$(subst $(space),$(comma),$(CORE:%=soxsdark/%.py))"

# The tests with the newest of all that is depended on.
test-newest:
	$(PYTHON) -m venv --clear $(NEWEST)
	$(NEWEST)/bin/python -m pip --disable-pip-version-check install --quiet --use-pep517 --upgrade \
	    --editable '.[test]'
	$(NEWEST)/bin/python -m pytest -n $(WORKERS) -q -m "not slow"

# The tests with the oldest that setup.py allows of what the program needs, on the oldest Python: for
# others NumPy 1.26 has no wheel. The matplotlib of that time calls what later pyparsings warn of.
test-oldest:
	$(PYTHON) -m venv --clear $(OLDEST)
	sed -n '/install_requires/,/^    \]/s/^ *"\(.*\)>=\(.*\)",/\1==\2/p' setup.py > $(OLDEST)/pins.txt
	echo "pyparsing<3.3" >> $(OLDEST)/pins.txt
	PIP_CONSTRAINT=$(CURDIR)/$(OLDEST)/pins.txt $(OLDEST)/bin/python -m pip \
	    --disable-pip-version-check install --quiet --use-pep517 --editable '.[test]'
	$(OLDEST)/bin/python -m pytest -n $(WORKERS) -q -m "not slow"

# The same tests without the compiled kernel.
test-numpy: $(VENV)/.installed
	SOXSDARK_KERNEL=numpy $(BIN)/python -m pytest -n $(WORKERS) -q -m "not slow"

# ESIS, a package under the BSD licence; what it depends on is not needed.
real-data: $(BIN)/python
	rm -rf $(REAL_DATA)
	$(INSTALL) --no-deps --target $(REAL_DATA) msfc-ccd==1.2.0

bench: $(VENV)/.installed
	$(BIN)/python -m bench $(BENCH)

# The published schemas, and the settings file.
schema: $(VENV)/.installed
	$(BIN)/python -c "from soxsdark.record_model import schema_text; print(schema_text(), end='')" \
	    > soxsdark/record.schema.json
	$(BIN)/soxsdark settings init settings.yaml --overwrite

# The manual page, anew from the commands.
man: $(VENV)/.installed
	$(BIN)/python docs/man_page.py

$(VENV)/.docs: $(VENV)/.installed
	$(INSTALL) --editable '.[docs]'
	@touch $@

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs docs/_build

reference: schema man
	$(BIN)/python docs/reference.py

evidence: $(VENV)/.installed
	$(BIN)/python docs/evidence.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/numpydoc lint $(sort $(wildcard soxsdark/*.py soxsdark/*/*.py))
	$(BIN)/codespell
	$(CC) -std=c11 -Wall -Wextra -Werror -fsyntax-only \
	    -I$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('include'))") \
	    soxsdark/*.c

check: lint
	$(INSTALL) --editable '.[check]'
	$(BIN)/bandit --quiet --recursive soxsdark

audit: $(VENV)/.installed
	$(INSTALL) --editable '.[check]'
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

# What is found stays in build/fuzz; what is worth to be kept goes to tests/corpus by hand.
fuzz: $(VENV)/.installed
	$(INSTALL) --editable '.[fuzz]'
	for target in $$(ls tests/corpus); do \
	    mkdir -p $(FOUND)/$$target && \
	    $(BIN)/python -m tests.fuzz $$target $(FOUND)/$$target -max_len=20000 \
	        -max_total_time=$(SECONDS_EACH) -artifact_prefix=$(FOUND)/$$target- || exit 1; \
	done

# The tests of the kernel with every access to memory and every operation checked.
sanitize: $(VENV)/.installed
	rm -rf $(CHECKED_IN)
	CFLAGS="$(CHECKED)" $(INSTALL) --no-deps --target $(CHECKED_IN) .
	test -e $(CHECKED_IN)/soxsdark/_kernel.abi3.so
	cp -r tests pyproject.toml $(CHECKED_IN)
	cd $(CHECKED_IN) && LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) PYTHONMALLOC=malloc \
	    ASAN_OPTIONS=detect_leaks=0 $(CURDIR)/$(BIN)/python -m pytest -q tests/kernel

# What is published, each package in an empty environment, run outside the checkout.
package-check: wheel-check sdist-check

dist: $(VENV)/.installed
	rm -rf build dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

wheel-check: dist
	sh tests/package_check.sh "$(CURDIR)" "$(PYTHON)" "$(CURDIR)"/dist/*.whl compiled

# Whole, and of use without a compiler and with one.
sdist-check: dist
	! git rev-parse --quiet HEAD >/dev/null || sh tests/sdist_contents.sh dist/*.tar.gz
	CC=false sh tests/package_check.sh "$(CURDIR)" "$(PYTHON)" "$(CURDIR)"/dist/*.tar.gz NumPy
	sh tests/package_check.sh "$(CURDIR)" "$(PYTHON)" "$(CURDIR)"/dist/*.tar.gz compiled

clean:
	rm -rf $(VENV) $(DEMO) $(REAL_DATA) build dist docs/_build *.egg-info .coverage .hypothesis \
	    .pytest_cache .ruff_cache .mypy_cache
