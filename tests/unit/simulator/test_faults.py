"""The fault board: one vocabulary, counted uses, any thread."""

from __future__ import annotations

import threading

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.simulator.faults import KINDS, REQUESTS, FaultBoard, fault_from_json


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A typing error in a fault's name is answered with the list of names."""
    with pytest.raises(ConfigurationError, match=r"'slient' is not known; known are: .*silent"):
        FaultBoard().inject("slient")


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("silent", {"simbol": "BTCUSDT"}),
        ("latency", {"seconds": "soon"}),
        ("http_error", {"status": 200}),
        ("burst", {"frames": 0}),
        ("duplicate", {"count": -1}),
        ("latency", {"seconds": float("nan")}),
        ("close", {"code": 1006}),
        ("close", {"code": 5}),
        ("ack_reset", {"request": "palce"}),
        ("error_ack", {"code": 1 << 40}),
    ],
)
def test_a_wrong_parameter_is_refused(name: str, params: dict) -> None:
    """A parameter that does not exist or is out of range is an error; nothing is switched on."""
    board = FaultBoard()
    with pytest.raises(ConfigurationError, match="fault"):
        board.inject(name, **params)
    assert board.faults() == ()


def test_a_counted_fault_uses_itself_up() -> None:
    """A fault with count 2 strikes twice."""
    board = FaultBoard()
    board.inject("error_ack", count=2)
    assert [bool(board.take("error_ack")) for _ in range(3)] == [True, True, False]
    assert board.quiet


def test_count_zero_means_until_cleared() -> None:
    """A fault with count 0 strikes until it is cleared."""
    board = FaultBoard()
    board.inject("malformed_frame", count=0)
    assert all(board.take("malformed_frame") for _ in range(100))
    board.clear("malformed_frame")
    assert board.take("malformed_frame") is None


def test_looking_does_not_use_a_fault_up() -> None:
    """`active` may be asked as often as one likes."""
    board = FaultBoard()
    board.inject("no_ack")
    assert all(board.active("no_ack") for _ in range(3))


def test_a_fault_strikes_only_what_it_names() -> None:
    """Symbol, channel and path narrow a fault down."""
    board = FaultBoard()
    board.inject("drop_stream", symbol="BTCUSDT", channel="trade")
    board.inject("http_error", path="/depth")
    assert board.active("drop_stream", symbol="BTCUSDT", channel="trade")
    assert not board.active("drop_stream", symbol="ETHUSDT", channel="trade")
    assert not board.active("drop_stream", symbol="BTCUSDT", channel="bookTicker")
    assert board.active("http_error", path="/api/v3/depth")
    assert not board.active("http_error", path="/api/v3/time")


def test_a_fault_is_for_one_kind_of_request_or_for_all() -> None:
    """What names a request leaves the others alone, and what is no request of the trading side."""
    board = FaultBoard()
    board.inject("http_error", request="place")
    board.inject("late_ack", count=0)
    assert board.active("http_error", request="place")
    assert not board.active("http_error", request="cancel")
    assert not board.active("http_error", path="/api/v3/depth")
    assert all(board.active("late_ack", request=kind) for kind in REQUESTS)


def test_clearing_one_name_leaves_the_others() -> None:
    """`clear(name)` clears that name only, `clear()` everything."""
    board = FaultBoard()
    board.inject("silent")
    board.inject("latency", seconds=1)
    board.clear("silent")
    assert [fault.name for fault in board.faults()] == ["latency"]
    assert repr(board) == "<FaultBoard latency>"
    board.clear()
    assert repr(board) == "<FaultBoard none>"


def test_clearing_an_unknown_name_is_refused() -> None:
    """`clear` checks names as `inject` does."""
    with pytest.raises(ConfigurationError, match="known are"):
        FaultBoard().clear("slient")


def test_instant_faults_do_not_stand() -> None:
    """A reset happens once and does not meet those who reconnect."""
    board = FaultBoard()
    struck = []
    board.listen(lambda fault: struck.append(fault and fault.name))
    for name, kind in KINDS.items():
        if kind.instant:
            board.inject(name)
    assert board.faults() == ()
    assert struck == [name for name, kind in KINDS.items() if kind.instant]


def test_a_listener_can_stop_listening() -> None:
    """After the returned call nothing is told any more."""
    board = FaultBoard()
    heard = []
    stop = board.listen(heard.append)
    board.clear()
    stop()
    board.clear()
    assert heard == [None]


def test_a_count_holds_over_threads() -> None:
    """Ten threads that take from one fault get exactly its count together."""
    board = FaultBoard()
    board.inject("duplicate", count=500)
    taken: list[bool] = []

    def take() -> None:
        taken.extend(bool(board.take("duplicate")) for _ in range(100))

    threads = [threading.Thread(target=take) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sum(taken) == 500


def test_a_fault_can_be_read_from_json() -> None:
    """The control endpoint's body becomes a name and parameters."""
    assert fault_from_json(b'{"name":"latency","seconds":2}') == ("latency", {"seconds": 2})


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"{}", b'{"name":[]}'])
def test_json_that_is_no_fault_is_refused(raw: bytes) -> None:
    """Anything else is a configuration error."""
    with pytest.raises(ConfigurationError):
        fault_from_json(raw)
