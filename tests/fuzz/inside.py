"""One target under atheris, in this process: its name, then what libFuzzer takes."""

from __future__ import annotations

import importlib
import logging
import sys

import atheris

if __name__ == "__main__":
    with atheris.instrument_imports(include=["foxtrot"]):
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    logging.disable(logging.CRITICAL)
    name, *told = sys.argv[1:]
    atheris.Setup([name, *told], targets[name])
    atheris.Fuzz()
