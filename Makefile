# make demo    the whole path of a WebSocket in a browser
# make test    everything that continuous integration checks
# make bench   Upwire against others on this machine: ARGS="echo --rounds 3"
# make fuzz    each parser against mutated octets, 20 seconds each: SECONDS=300
# make nginx-tests NGINX_TESTS=FOLDER  the named files of nginx's own suite, from a checkout of it
# make reload-test  ten reloads with 200 tunnels and requests under way
# make upwire.js  the minified client of rooms, by esbuild from npm's registry
# make rooms-test  a million joins to rooms, and the memory of before
# make docs    the tables of docs/nginx.md, from the table of directives
# make sanitize  the tests of the compiled modules under AddressSanitizer and UBSan
# PYTHON=python3.13 uses another Python, in a virtual environment of its own.

ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell command -v python3.11 || command -v python3)
VENV := .venv
else
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
ifneq ($(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11))'), True)
$(error "$(PYTHON)" is no Python 3.11 or newer; name one with PYTHON=)
endif
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -n 2
SOURCES := $(shell find src -type f -not -name '*.pyc' -not -path '*.egg-info/*') pyproject.toml setup.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: demo test lint types test-compiled test-pure autobahn nginx-tests reload-test rooms-test bench docs upwire.js fuzz sanitize clean
.DELETE_ON_ERROR:

demo: $(VENV)/.package
	$(BIN)/upwire demo $(ARGS)

test: $(VENV)/.system
	@$(MAKE) --no-print-directory lint types test-compiled test-pure PYTHON=$(PYTHON) VENV=$(VENV)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev $(VENV)/.package
	$(BIN)/mypy

# The installed package, its hot modules compiled. PYTHONPATH is emptied: src must not shadow it.
test-compiled: $(VENV)/.dev $(VENV)/.package
	PYTHONPATH= UPWIRE_EXPECT=compiled $(PYTEST) $(ARGS)

# Without Cython too, as where no compiler is: the modules' stand-in for it must do.
PURE := $(CURDIR)/src:$(CURDIR)/tests/without_cython
test-pure: $(VENV)/.dev $(VENV)/.package
	PYTHONPATH=$(PURE) UPWIRE_EXPECT=pure $(PYTEST) $(ARGS)

autobahn: $(VENV)/.dev $(VENV)/.package
	PYTHONPATH= UPWIRE_EXPECT=compiled $(BIN)/python tests/conformance/autobahn.py $(ARGS)
	PYTHONPATH=$(PURE) UPWIRE_EXPECT=pure $(BIN)/python tests/conformance/autobahn.py $(ARGS)

nginx-tests: $(VENV)/.dev $(VENV)/.package
	@test -n "$(NGINX_TESTS)" || { echo "name a checkout: make nginx-tests NGINX_TESTS=FOLDER"; exit 2; }
	PYTHONPATH= $(BIN)/python tests/conformance/nginx_tests.py $(NGINX_TESTS) $(ARGS)

reload-test: $(VENV)/.dev $(VENV)/.package
	PYTHONPATH= UPWIRE_RELOAD_TUNNELS=200 UPWIRE_RELOADS=10 \
	  $(BIN)/python -m pytest tests/system/test_reload.py $(ARGS)

rooms-test: $(VENV)/.dev $(VENV)/.package
	PYTHONPATH= UPWIRE_JOINS=1000000 \
	  $(BIN)/python -m pytest tests/rooms/test_node.py -k many_joins --timeout 900 $(ARGS)

bench: $(VENV)/.dev $(VENV)/.package
	PYTHONPATH= $(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.dev
	PYTHONPATH=$(CURDIR)/src $(BIN)/python docs/directives.py
	PYTHONPATH=$(CURDIR)/src $(BIN)/python docs/faults.py

# A name with an underscore in front is the client's own, and made short.
BROWSER := src/upwire/rooms/browser
upwire.js:
	npx --yes esbuild@0.28.2 $(BROWSER)/upwire.js --outfile=$(BROWSER)/upwire.min.js \
	  --minify --format=esm --target=es2022 --mangle-props=^_ \
	  --banner:js="// Upwire, BSD-3-Clause; of $$(sha256sum < $(BROWSER)/upwire.js | cut -c1-16)"

fuzz: SECONDS := 20
fuzz: $(VENV)/.dev $(VENV)/.package
	for target in fuzz/fuzz_*.py; do \
	  PYTHONPATH= $(BIN)/python $$target --seconds $(SECONDS) || exit 1; done

# A finding ends the process that has it and is written to a file; CPython's own leaks are not
# looked at. Octets that are read before they are written show under valgrind only, a test file at
# a time since it is slow; a report counts where one of our modules is among its frames:
#   PYTHONMALLOC=malloc PYTHONPATH= valgrind $(BIN)/python -m pytest -q tests/wire/test_codec.py
SANITIZED := $(CURDIR)/build/sanitized
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g
FINDINGS := detect_leaks=0:print_stacktrace=1:log_path=$(SANITIZED)/finding
sanitize: TESTS := tests/wire tests/net tests/load tests/client tests/server tests/proxy
sanitize: $(VENV)/.dev $(SANITIZED)/.package
	rm -f $(SANITIZED)/finding.*
	status=0; PYTHONPATH=$(SANITIZED)/lib UPWIRE_EXPECT=compiled PYTHONMALLOC=malloc \
	  LD_PRELOAD=$$(cc -print-file-name=libasan.so) \
	  ASAN_OPTIONS=$(FINDINGS) UBSAN_OPTIONS=$(FINDINGS) $(PYTEST) $(TESTS) $(ARGS) || status=1; \
	for finding in $(SANITIZED)/finding.*; do \
	  if [ -e $$finding ]; then cat $$finding; status=1; fi; done; exit $$status

$(SANITIZED)/.package: $(SOURCES) | $(VENV)/.tools
	rm -rf build/lib* build/bdist* $(SANITIZED)
	CFLAGS="$(SANITIZERS)" LDFLAGS="$(SANITIZERS)" $(BIN)/python -m pip install -q \
	  --no-build-isolation --no-deps --target $(SANITIZED)/lib .
	rm -rf build/lib* build/bdist*
	touch $@

# The package itself: not editable, so that what runs is what would be installed elsewhere.
$(VENV)/.package: $(SOURCES) | $(VENV)/.tools
	rm -rf build/lib* build/bdist*
	$(BIN)/python -m pip install -q --no-build-isolation .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.tools
	$(BIN)/python -m pip install -q --group dev
	touch $@

$(VENV)/.system: .ci/system-packages
	@.ci/system-packages --tests $(PYTHON)
	@mkdir -p $(VENV) && touch $@

$(BIN)/python:
	@.ci/system-packages $(PYTHON)
	$(PYTHON) -m venv $(VENV)

# Apart from the environment, which may have been made by hand.
$(VENV)/.tools: | $(BIN)/python
	$(BIN)/python -m pip install -q --upgrade pip 'setuptools>=77' 'Cython>=3.1'
	touch $@

clean:
	rm -rf build $(VENV)
