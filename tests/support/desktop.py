"""The vnpy desktop for tests: whether it can be had, its engines, and a home for what it writes."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from foxtrot.model.events import Event
from tests.support.events import EventLog

EXTRA = "pip install 'vnpy>=4.5'"


def require(*modules: str) -> None:
    """Skip the test module, and say what to install, where one of `modules` is missing."""
    missing = [each for each in modules if importlib.util.find_spec(each) is None]
    if missing:
        names = ", ".join(missing)
        pytest.skip(f"{names} cannot be imported here: {EXTRA}", allow_module_level=True)


@functools.cache
def main_engine_class() -> Any:
    """vnpy's MainEngine, which writes to a directory of its own that ends with the process."""
    before = os.environ.get("HOME", "")
    home = os.environ["HOME"] = tempfile.mkdtemp(prefix="desktop")  # looked up at the import
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what vnpy imports
            from vnpy.trader.engine import MainEngine
            from vnpy.trader.setting import SETTINGS
    finally:
        os.environ["HOME"] = before
    SETTINGS["log.active"] = False
    return MainEngine


class Desk:
    """vnpy's engines with a log of all that its event engine carries.

    Args:
        event_engine: What vnpy is given for one; its own by default.
        engine_class: vnpy's main engine by default.
    """

    def __init__(self, event_engine: object = None, engine_class: Any = None) -> None:
        self.engine = (engine_class or main_engine_class())(event_engine)
        self.log = EventLog()
        self.engine.event_engine.register_general(self._keep)

    def _keep(self, event: Any) -> None:
        self.log(Event(event.type, event.data))  # which can be read, when a test fails

    def wait(
        self, type_: str, where: Callable[[Any], bool] = lambda data: True, *, since: int = 0
    ) -> Any:
        """The data of the first event of `type_` for which `where` holds, once it arrives."""
        return self.log.wait_type(type_, since=since, where=where)

    def wait_said(self, words: str, *, since: int = 0) -> str:
        """The first line of the log that has these words."""
        return str(self.wait("eLog", lambda entry: words in entry.msg, since=since).msg)


@contextlib.contextmanager
def open_desk(event_engine: object = None, engine_class: Any = None) -> Iterator[Desk]:
    """A desk that is closed at the end; the working directory is what it was."""
    place = os.getcwd()
    desk = Desk(event_engine, engine_class)
    try:
        yield desk
    finally:
        desk.engine.close()
        os.chdir(place)
