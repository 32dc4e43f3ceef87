.DEFAULT_GOAL := help
.PHONY: help install test lowest check format demo notebooks bench fuzz clean

help:  ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## install the package for work on it
	python -m pip install -e '.[dev]'

test:  ## run all tests
	python -m pytest -n auto

lowest:  ## run all tests on the lowest versions of what the package needs
	.ci/lowest

check:  ## lint, formatting and types
	ruff check .
	ruff format --check .
	mypy

format:  ## format the code
	ruff check --fix .
	ruff format .

demo:  ## do the main job on real photographs
	hastyframe demo

notebooks:  ## run the notebooks and keep their outputs
	python notebooks/build.py

bench:  ## measure this project and its peers (pip install -e '.[bench]')
	for file in benchmarks/[!_]*.py; do echo "== $$file"; python $$file; done

fuzz:  ## fuzz every reader of files for a minute
	python tests/io/fuzz.py

clean:  ## remove what was built
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis hastyframe-demo
