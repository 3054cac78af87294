# Two commands for a reader: `make book` and `make test`. Both make the environment they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PORT ?= 8000
CONSTRAINTS ?= constraints.txt
JOBS ?= 2
NOTEBOOKS ?=
WORK ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: book serve links pdf kit test test-site test-cuda lint notebooks assignments repository lock bench clean

book: $(READY) _build/drawn
	$(BIN)/jupyter-book build . -W -n --keep-going -q
	@echo "Книга готова: file://$(CURDIR)/_build/html/index.html — или make serve"

# Sphinx does not see that the contents, or what draws every page, have changed.
_build/drawn: _toc.yml $(wildcard book/_ext/*.py book/_static/* book/_templates/*)
	rm -rf _build/html _build/.doctrees
	mkdir -p $(@D) && touch $@

serve: book
	@echo "Книга: http://localhost:$(PORT)/ — остановить: Ctrl+C"
	$(BIN)/python -m http.server --directory _build/html --bind 127.0.0.1 $(PORT)

# Do the addresses outside the book still answer? Asks them all.
links: $(READY)
	$(BIN)/jupyter-book build . --builder linkcheck --path-output _build/links --keep-going -q

# The whole book for paper; needs Chromium or Chrome.
pdf: book
	$(BIN)/python book/pdf.py

# One thread to a worker, and the notebooks one after another: threads of two trainings would wait
# for each other on the same cores.
test: lint
	$(BIN)/python book/notebooks.py check
	$(BIN)/python book/assignments.py check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests coursekit -n $(JOBS) --dist loadfile --cov
	$(BIN)/python -m pytest book

# One zip for a class without a network: site, notebooks, assignments, wheels, a start script.
kit: book
	$(BIN)/python book/kit.py

# What of the tests looks at the built site, in a browser too; pictures go to _build/screenshots.
test-site: $(READY)
	$(BIN)/python -m pytest tests/test_site.py tests/test_browser.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The notebooks alone, on the GPU of the machine: torch with CUDA must be what pip installs there.
test-cuda: $(READY)
	$(BIN)/python -c "import torch; assert torch.cuda.is_available(), 'no CUDA device'"
	$(BIN)/python -m pytest book

# Execute and normalise: all of them, or NOTEBOOKS="book/02-tfidf.ipynb".
notebooks: $(READY)
	$(BIN)/python book/notebooks.py run $(NOTEBOOKS)

# What students get, from the assignments with solutions.
assignments: $(READY)
	$(BIN)/python book/assignments.py make

# make repository URL=https://github.com/OWNER/NAME
repository: $(READY)
	$(BIN)/python book/notebooks.py repository $(URL)
	$(BIN)/python book/assignments.py make

# The usual way of teaching notebooks against ours, in one run; WORK="loops words" for a part.
bench: $(READY)
	$(BIN)/pip install -q -c $(CONSTRAINTS) -e '.[bench]'
	$(BIN)/python benchmarks/run.py $(WORK)

# Resolve the newest versions and write them down as the verified ones.
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install -q $$(grep '^torch==' constraints.txt)
	$(VENV)-lock/bin/pip install -q -e '.[book,test,site,bench]'
	$(VENV)-lock/bin/pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > constraints.txt
	rm -rf $(VENV)-lock

clean:
	rm -rf _build $(VENV)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c $(CONSTRAINTS) -e '.[book,test,site]'
	touch $@
