"""What every program of foxtrot has, whatever it is made of."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: a program tunes the one that it has.
EMPTY = """
from foxtrot import MainEngine
from foxtrot.app.program import Options, run

class Empty:
    title, environment, log_level = "empty", None, None

    def open(self, stack):
        return stack.enter_context(MainEngine())

    def start(self, engine):
        print("watched:", type(engine.get_engine("watch")).__name__)

    def follow(self, engine, settings):
        pass

run(Empty(), Options(seconds=0.0, json=True))
"""


def test_thresholds_are_watched_without_a_monitor() -> None:
    """What passes one is told in the log and on the screen, whoever looks."""
    ended = subprocess.run(
        [sys.executable, "-c", EMPTY], capture_output=True, text=True, timeout=25, check=True
    )
    assert "watched: Watch" in ended.stdout


BROKEN = """
from foxtrot.app.output import JsonOutput

def gone(*_):
    raise OSError("the terminal is gone")

JsonOutput.show = gone

class Traded(Empty):
    def open(self, stack):
        self.engine = super().open(stack)
        return self.engine

traded = Traded()
try:
    run(traded, Options(json=True, cancel_on_exit=True))
except OSError as error:
    print(f"{error}; halted as {traded.engine.halted}")
"""


def test_orders_are_cancelled_at_the_end_whatever_ends_it() -> None:
    """A terminal that goes away while it is drawn on leaves no order behind, either."""
    ended = subprocess.run(
        [sys.executable, "-c", EMPTY + BROKEN],
        capture_output=True,
        text=True,
        timeout=25,
        check=True,
    )
    assert "the terminal is gone; halted as the program ends" in ended.stdout
