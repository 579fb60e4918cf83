"""The lines to OpenD: refused, stuck, quiet, broken, restarted; and deals that are not listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from foxtrot.adapter.futu.sdk import sdk
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.constants import Status
from foxtrot.simulator.futu_schema import Proto
from tests.support.futu_house import (
    BABA,
    HSBC,
    LOT,
    STREAMER,
    TENCENT,
    TRADER,
    XIAOMI,
    House,
    hasten,
    living,
    standing,
)
from tests.support.house import WATCHFUL, everything, healed, lost, served, why
from tests.support.rig import eventually
from tests.support.trading_rig import TRADING, TradingRig

WEBSOCKET = "websocket"
IMPATIENT: dict[str, object] = {"liveness.probe_s": 0.4}


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """The SDK's network thread lives as long as the process, so it is there before all else."""
    sdk()


@pytest.fixture(autouse=True)
def hastened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits without need waits shortly."""
    hasten(monkeypatch)


@pytest.fixture
def house() -> Iterator[House]:
    """An OpenD whose market moves by hand."""
    with standing() as house:
        yield house


@pytest.fixture
def rig(house: House) -> Iterator[TradingRig]:
    """An engine, not connected yet."""
    with living(house) as rig:
        yield rig


def test_an_opend_that_hangs_up_at_once(rig: TradingRig) -> None:
    """F01: cut off before the handshake: asked again until it is let in."""
    rig.venue.faults.inject("refuse")
    rig.subscribe(TENCENT)
    rig.connect()
    rig.wait_trading(S.RECONNECTING)
    rig.wait_state(S.RECONNECTING)
    assert set(rig.error_kinds()) == {"ConnectError"}
    healed(rig)


@pytest.mark.parametrize("count", [1, 0], ids=["once", "until mended"])
def test_a_handshake_that_is_refused(rig: TradingRig, count: int) -> None:
    """F01: OpenD's words are told; a second failure is no end, and no line stays behind."""
    rig.venue.faults.inject("error_ack", request="init_connect", count=count, body="登录失败")
    rig.subscribe(TENCENT)
    rig.connect()
    if count:
        rig.wait_state(S.READY)
    else:
        rig.wait_trading(S.RECONNECTING)
        rig.wait_state(S.RECONNECTING)
        assert "OpenD refused it: 登录失败" in why(rig, TRADING)
    healed(rig)
    assert set(rig.error_kinds()) == {"ConnectError"}


def test_a_refused_handshake_while_coming_back(rig: TradingRig) -> None:
    """F01: the line is lost and the next handshake is refused: the one after that is taken."""
    everything(rig)
    rig.venue.faults.inject("error_ack", request="init_connect", count=2)
    lost(rig, "rst")
    healed(rig)


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("slow_handshake", {"seconds": 30, "count": 0}),
        ("request_swallowed", {"request": "init_connect", "count": 0}),
    ],
    ids=["late answer", "no answer"],
)
def test_a_silent_opend_is_given_up(house: House, fault: str, params: dict[str, object]) -> None:
    """F04: connected, and no word: given up at the deadline, never READY, no line is left."""
    with living(house, {"connect.timeout_s": 0.5}) as rig:
        house.faults.inject(fault, **params)
        rig.subscribe(TENCENT)
        rig.connect()
        rig.wait_trading(S.RECONNECTING)
        rig.wait_state(S.RECONNECTING)
        assert "ConnectTimeout" in rig.error_kinds()
        assert S.READY not in rig.states() + rig.states(TRADING)
        healed(rig)
        eventually(lambda: len(house.sim.connections) <= 3, "no line of an attempt is left")


@pytest.mark.parametrize(
    ("fault", "words"),
    [("half_frame", "closed by OpenD"), ("corrupt_length", "not OpenD's protocol")],
)
@pytest.mark.parametrize("path", [STREAMER, TRADER])
def test_a_line_that_cannot_be_trusted_is_replaced(
    rig: TradingRig, path: str, fault: str, words: str
) -> None:
    """F14: half a frame and an end, or two gigabytes announced: nothing stale is waited for."""
    everything(rig)
    since = len(rig.log)
    rig.venue.faults.inject(fault, path=path)
    if path == TRADER:
        rig.send(volume=LOT)
    else:
        rig.venue.move(TENCENT)
    session = TRADING if path == TRADER else WEBSOCKET
    assert words in rig.wait_state(S.RECONNECTING, since=since, session=session).reason
    healed(rig)


def test_half_a_frame_at_the_handshake(rig: TradingRig) -> None:
    """F14: the line ends within the first answer: what came is not taken for the next line's."""
    rig.venue.faults.inject("half_frame", count=0)
    rig.subscribe(TENCENT)
    rig.connect()
    rig.wait_trading(S.RECONNECTING)
    rig.wait_state(S.RECONNECTING)
    healed(rig)


@pytest.mark.parametrize("fault", ["bad_checksum", "unknown_format"])
def test_a_handshake_that_cannot_be_read(rig: TradingRig, fault: str) -> None:
    """F31: a handshake whose checksum or format is wrong: in words, and tried again."""
    rig.venue.faults.inject(fault, count=0)
    rig.subscribe(TENCENT)
    rig.connect()
    rig.wait_trading(S.RECONNECTING)
    rig.wait_state(S.RECONNECTING)
    assert "the handshake failed" in why(rig, TRADING)
    healed(rig)


@pytest.mark.parametrize("signs", [True, False], ids=["signs of life", "none"])
def test_a_quiet_market_is_no_fault(house: House, signs: bool) -> None:
    """F20: nothing moves, and perhaps no sign of life is answered: probes are; lines stay."""
    with living(house, IMPATIENT) as rig:
        everything(rig)
        if not signs:
            house.faults.inject("no_pong")
        asked = house.asked_of(Proto.GetGlobalState)
        eventually(lambda: house.asked_of(Proto.GetGlobalState) >= asked + 2, "both are probed")
        assert rig.states() == rig.states(TRADING) == [S.CONNECTING, S.SYNCING, S.READY]
        healed(rig)


@pytest.mark.parametrize("request_", ["global_state", "trades", "executions"])
def test_fills_that_are_not_listed_are_not_none(house: House, request_: str) -> None:
    """F72: back after an absence, and no list of deals comes: no READY before there is one."""
    with living(house, config=replace(WATCHFUL, request_timeout_s=0.3)) as rig:
        rig.trade(TENCENT)
        orderid, since = rig.rest(volume=LOT), len(rig.log)
        house.faults.inject("request_swallowed", request=request_, path=TRADER, count=0)
        house.faults.inject("rst", path=TRADER)
        house.fill(orderid)
        rig.wait_trading(S.RECONNECTING, since)
        words = "was not answered within 0.3 s"
        rig.wait_state(S.RECONNECTING, since=since, session=TRADING)
        eventually(lambda: words in str(rig.statuses(TRADING, since)), "the cause is told")
        assert S.READY not in rig.states(TRADING, since)
        healed(rig)


def test_an_opend_that_is_restarted(house: House, rig: TradingRig) -> None:
    """F10: it comes back locked, with no subscription: all is asked for, unlocked, told once."""
    everything(rig)
    rig.subscribe(XIAOMI)
    served(rig)
    orders = [rig.rest(symbol=symbol, volume=400.0) for symbol in (TENCENT, BABA, HSBC, TENCENT)]
    since, unlocks = len(rig.log), house.sim.desk.unlocks
    house.faults.inject("restart", seconds=0.3)
    rig.wait_trading(S.RECONNECTING, since)
    rig.wait_state(S.RECONNECTING, since=since)
    assert not house.sim.desk.unlocked
    house.fill(orders[2])
    rig.wait_trading(S.READY, since)
    rig.wait_order(orders[2], Status.ALLTRADED)
    served(rig)
    assert len(rig.fills()) == len(rig.fills(orders[2])) == 1
    assert (house.sim.desk.unlocked, house.sim.desk.unlocks) == (True, unlocks + 1)
    left = {each for each in orders if each != orders[2]}
    assert {each.orderid for each in rig.last_of_each() if each.is_active()} == left
    for orderid in left:
        rig.cancel(orderid, rig.held(orderid).symbol)
        rig.wait_order(orderid, Status.CANCELLED)
    healed(rig)


def test_a_password_that_is_refused_is_sent_once(house: House, rig: TradingRig) -> None:
    """F60: trading FAILED with Futu's words after one try, lest it be locked; data goes on."""
    house.faults.inject("error_ack", request="unlock", body="解锁失败，交易密码错误", count=0)
    rig.subscribe(TENCENT)
    rig.connect()
    assert "交易密码错误" in rig.wait_trading(S.FAILED)
    rig.wait_fresh(TENCENT)
    assert house.asked_of(Proto.Trd_UnlockTrade) == 1
    assert rig.refused(rig.send(volume=LOT)).startswith("local:not_ready: ")
