"""Signatures, keys and clocks: Binance's words for each thing that is wrong."""

from __future__ import annotations

import pytest

from foxtrot.simulator.binance_keys import SIMULATED_SECRET, ApiKey
from tests.unit.simulator.trader import Trader, signed

ACCOUNT = "/api/v3/account"


async def test_a_signed_request_is_answered(trader: Trader) -> None:
    """By REST and by WebSocket API alike."""
    assert (await trader.rest("GET", ACCOUNT)).body["canTrade"] is True
    assert (await trader.call("account.status")).body["accountType"] == "SPOT"


async def test_without_a_key_the_format_is_wrong(trader: Trader) -> None:
    """-2014 with 401."""
    trader.key = ""
    assert (await trader.rest("GET", ACCOUNT)).error == (401, -2014)


async def test_an_unknown_key_is_refused(trader: Trader) -> None:
    """-2015 with 401, by either way."""
    trader.key = "nobody"
    assert (await trader.rest("GET", ACCOUNT)).error == (401, -2015)
    assert (await trader.call("account.status")).error == (401, -2015)


async def test_a_wrong_signature_is_refused(trader: Trader) -> None:
    """-1022, by either way."""
    trader.secret = "wrong"
    assert (await trader.rest("GET", ACCOUNT)).error == (400, -1022)
    assert (await trader.call("account.status")).error == (400, -1022)


@pytest.mark.parametrize("missing", ["timestamp", "signature"])
async def test_what_is_missing_is_named(trader: Trader, missing: str) -> None:
    """-1102 with the parameter."""
    text = f"timestamp={trader.sim.now_ms()}" if missing == "signature" else "signature=0"
    answer = await trader.raw("GET", ACCOUNT, text)
    assert answer.error == (400, -1102)
    assert f"'{missing}'" in answer.body["msg"]


@pytest.mark.parametrize(
    ("shift_ms", "window", "words"),
    [
        (2_000, None, "1000ms ahead of the server's time"),
        (-6_000, None, "outside of the recvWindow"),
        (-9_000, 8_000, "outside of the recvWindow"),
        (-50_000, 60_000, None),
        (500, None, None),
    ],
)
async def test_the_clock_must_agree(
    trader: Trader, shift_ms: int, window: int | None, words: str | None
) -> None:
    """Less than a second ahead, at most recvWindow behind (5 s if it is not sent)."""
    stamp = trader.sim.now_ms() + shift_ms
    answer = await trader.rest("GET", ACCOUNT, timestamp=stamp, recvWindow=window)
    if words is None:
        assert answer.status == 200
        return
    assert answer.error == (400, -1021)
    assert words in answer.body["msg"]


async def test_a_window_of_more_than_a_minute_is_refused(trader: Trader) -> None:
    """-1131; and what is no number at all is -1100."""
    assert (await trader.rest("GET", ACCOUNT, recvWindow=60_001)).error == (400, -1131)
    assert (await trader.rest("GET", ACCOUNT, recvWindow="soon")).error == (400, -1100)
    assert (await trader.rest("GET", ACCOUNT, timestamp="now")).error == (400, -1100)


async def test_the_signature_is_of_what_was_sent(trader: Trader) -> None:
    """Percent-encoding is part of the signed text; a text signed before it is refused."""
    stamp = trader.sim.now_ms()
    plain, sent = f"symbol=BTC USDT&timestamp={stamp}", f"symbol=BTC%20USDT&timestamp={stamp}"
    answer = await trader.raw("GET", "/api/v3/openOrders", f"{sent}&signature={signed(plain)}")
    assert answer.error == (400, -1022)
    answer = await trader.raw("GET", "/api/v3/openOrders", f"{sent}&signature={signed(sent)}")
    assert answer.error == (400, -1100)


async def test_a_signature_may_stand_anywhere(trader: Trader) -> None:
    """It is taken out of the text before it is checked."""
    text = f"timestamp={trader.sim.now_ms()}"
    signature = signed(text)
    assert (await trader.raw("GET", ACCOUNT, f"signature={signature}&{text}")).status == 200


async def test_unknown_and_doubled_parameters_are_refused(trader: Trader) -> None:
    """-1104 and -1101."""
    assert (await trader.rest("GET", ACCOUNT, colour="blue")).error == (400, -1104)
    text = f"timestamp=1&timestamp={trader.sim.now_ms()}"
    answer = await trader.raw("GET", ACCOUNT, f"{text}&signature={signed(text)}")
    assert answer.error == (400, -1101)


def test_a_key_does_not_show_its_secret() -> None:
    """Its repr names the account only."""
    assert SIMULATED_SECRET not in repr(ApiKey())
