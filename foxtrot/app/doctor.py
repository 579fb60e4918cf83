"""`foxtrot doctor`: what is wrong with this machine, and how to mend it. Asks no other machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from foxtrot.app.version import version
from foxtrot.core import logs
from foxtrot.core.directories import data_directory
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.registry import adapter_class, adapter_names
from foxtrot.model.health import Finding

_LEAST_PYTHON = (3, 11)


def examine() -> Iterator[Finding]:
    """Look at what foxtrot needs, one thing after the other."""
    logs.configure(level="ERROR")
    yield Finding("foxtrot", version())
    yield _python()
    yield _data()
    for name in adapter_names():
        try:
            yield from adapter_class(name).examine()
        except ConfigurationError as error:
            yield Finding(name, "cannot be loaded", error.problem)


def _python() -> Finding:
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info < _LEAST_PYTHON:
        return Finding("Python", found, "install Python 3.11 or later")
    return Finding("Python", found)


def _data() -> Finding:
    """The journal and the client ids have to be written somewhere."""
    try:
        place = data_directory()
    except ConfigurationError as error:
        return Finding("data directory", "unknown", str(error))
    there = _nearest(place)
    if os.access(there, os.W_OK):
        return Finding("data directory", str(place))
    advice = f"{there} may not be written; name another place by FOXTROT_DATA_DIR"
    return Finding("data directory", str(place), advice)


def _nearest(place: Path) -> Path:
    """The place itself, or the directory it would be made in."""
    return next(each for each in (place, *place.parents) if each.exists())
