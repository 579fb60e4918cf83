"""What the faults of the data make of the gateway's messages."""

from __future__ import annotations

import pytest

from foxtrot.simulator.faults import FaultBoard
from foxtrot.simulator.ib_distortion import HOSTILE_NUMBERS, Distortion
from foxtrot.simulator.ib_wire import encode

PRICE = encode(1, 6, 7, 1, 99.5, "100", 1)
ROW = encode(13, 1, 7, 0, "NASDAQ", 0, 1, 99.5, "100", True)
SIZE = encode(2, 6, 7, 0, "100")


def fields(message: bytes) -> list[bytes]:
    assert int.from_bytes(message[:4], "big") == len(message) - 4
    return message[4:].split(b"\0")[:-1]


@pytest.fixture
def board() -> FaultBoard:
    return FaultBoard()


@pytest.mark.parametrize("fault", ["silent", "farm_down", "drop_stream"])
def test_data_can_stop(board: FaultBoard, fault: str) -> None:
    """Of one symbol, while the others go on."""
    board.inject(fault, symbol="AAPL", count=0)
    distortion = Distortion(board)
    assert distortion.messages("AAPL", "market_data", [PRICE]) == []
    assert distortion.messages("MSFT", "market_data", [PRICE]) == [PRICE]


def test_one_channel_can_stop(board: FaultBoard) -> None:
    """The others of the same symbol go on."""
    board.inject("drop_stream", symbol="AAPL", channel="depth")
    distortion = Distortion(board)
    assert distortion.messages("AAPL", "depth", [ROW]) == []
    assert distortion.messages("AAPL", "market_data", [PRICE]) == [PRICE]


def test_a_price_can_be_hostile(board: FaultBoard) -> None:
    """It becomes every bad number in turn, or the one that was asked for; sizes are left alone."""
    board.inject("hostile_number", count=0)
    distortion = Distortion(board)
    seen = [fields(distortion.messages("A", "market_data", [PRICE])[0])[4] for _ in range(7)]
    assert seen == [text.encode() for text in HOSTILE_NUMBERS]
    board.clear()
    board.inject("hostile_number", body="12,5", count=0)
    assert fields(distortion.messages("A", "depth", [ROW])[0])[7] == b"12,5"
    assert distortion.messages("A", "market_data", [SIZE]) == [SIZE]


def test_a_message_can_be_short(board: FaultBoard) -> None:
    """Once, two fields are missing; its length is right all the same."""
    board.inject("malformed_frame")
    distortion = Distortion(board)
    first, second = distortion.messages("A", "market_data", [PRICE, PRICE])
    assert fields(first) == fields(PRICE)[:-2]
    assert second == PRICE


@pytest.mark.parametrize("fault", ["garbage_frame", "unknown_event"])
def test_rubbish_can_come_before_data(board: FaultBoard, fault: str) -> None:
    """A frame that means nothing, and then the message as ever."""
    board.inject(fault)
    rubbish, message = Distortion(board).messages("A", "market_data", [PRICE])
    assert fields(rubbish)
    assert message == PRICE


def test_everything_can_come_twice(board: FaultBoard) -> None:
    """Until it is cleared."""
    board.inject("duplicate")
    assert Distortion(board).messages("A", "market_data", [PRICE]) == [PRICE, PRICE]
