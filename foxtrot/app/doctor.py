"""`foxtrot doctor`: what is wrong with this machine, and how to mend it.

It asks no other machine, unless settings are given that name one.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from foxtrot.app import reach
from foxtrot.app.checking import check, configured
from foxtrot.app.version import version
from foxtrot.core import logs
from foxtrot.core.directories import data_directory
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.registry import adapter_class, adapter_names
from foxtrot.model.health import Finding

_LEAST_PYTHON = (3, 11)
_LEAST_FREE_BYTES = 1 << 30
_LEAST_DESCRIPTORS = 1024


def examine(config: Path | None = None) -> Iterator[Finding]:
    """Look at what foxtrot needs, one thing after the other; then at what the settings name."""
    logs.configure(level="ERROR")
    yield Finding("foxtrot", version())
    yield _python()
    yield _data()
    yield _disk()
    yield _descriptors()
    for name in adapter_names():
        try:
            yield from adapter_class(name).examine()
        except ConfigurationError as error:
            yield Finding(name, "cannot be loaded", error.problem)
    if config is not None:
        yield from _settings(config)


def _settings(config: Path) -> Iterator[Finding]:
    """What is in them, without any secret, and whether their venues can be reached."""
    try:
        lines = tuple(check(config))
    except ConfigurationError as error:
        yield Finding("settings", str(config), str(error))
        return
    yield Finding("settings", "\n    ".join(line.strip() for line in lines))
    settings = Settings.load(config)
    for name in settings.venues:
        yield from reach.examine(configured(config, settings, name))


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


def _disk() -> Finding:
    """When it is full, new orders are refused."""
    try:
        place = _nearest(data_directory())
    except ConfigurationError:
        return Finding("disk", "unknown: there is no data directory")
    free = shutil.disk_usage(place).free
    found = f"{free / (1 << 30):.1f} GiB free at {place}"
    enough = free >= _LEAST_FREE_BYTES
    return Finding("disk", found, "" if enough else "make room: new orders need a journal")


def _descriptors() -> Finding:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = most == resource.RLIM_INFINITY
    enough = unlimited or most >= _LEAST_DESCRIPTORS
    found = f"{'any number of' if unlimited else most} open files and sockets"
    return Finding("limits", found, "" if enough else f"ulimit -n {4 * _LEAST_DESCRIPTORS}")


def _nearest(place: Path) -> Path:
    """The place itself, or the directory it would be made in."""
    return next(each for each in (place, *place.parents) if each.exists())
