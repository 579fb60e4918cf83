"""How a person says that the monitor is to be served, and where."""

from __future__ import annotations

import pytest

from foxtrot.app.monitor import Place, completed, monitoring, place_of
from foxtrot.engine.main_engine import MainEngine
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.model.events import EVENT_LOG
from foxtrot.monitoring.server import MonitorServer
from tests.support.engine import Recorder


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["demo", "--monitor"], ["demo", "--monitor=8650"]),
        (["demo", "--monitor", "--json"], ["demo", "--monitor=8650", "--json"]),
        (["run", "--monitor", "0", "--json"], ["run", "--monitor", "0", "--json"]),
        (["run", "--monitor", "[::]:80"], ["run", "--monitor", "[::]:80"]),
        (["run", "--monitor=9"], ["run", "--monitor=9"]),
        (["doctor"], ["doctor"]),
        ([], []),
    ],
)
def test_the_port_may_be_left_out(typed: list[str], meant: list[str]) -> None:
    """Then it is the usual one."""
    assert completed(typed) == meant


def test_a_place_is_a_port_or_a_host_and_a_port() -> None:
    """An IPv6 address stands in brackets."""
    assert place_of(None) is None
    assert place_of("0") == Place("", 0)
    assert place_of("0.0.0.0:8650") == Place("0.0.0.0", 8650)
    assert place_of("[::]:1") == Place("::", 1)


@pytest.mark.parametrize("text", ["", "x", "65536", "host:", "host:x", "-1"])
def test_what_is_no_place_is_told(text: str) -> None:
    """With what it must be."""
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        place_of(text)


def test_people_are_told_where_it_is_and_where_the_token_is() -> None:
    """But not the token. A second page in one process is refused: the first had its state."""
    with MainEngine() as engine:
        told = Recorder()
        engine.register(EVENT_LOG, told)
        with monitoring(engine, Place("", 0)):
            line = str(told.wait_for(1)[0])
        assert "http://127.0.0.1:" in line
        assert "monitor.token" in line
        with (
            pytest.raises(InvalidState, match="one dashboard"),
            MonitorServer(engine, 0, page=True),
        ):
            pass
