"""Interactive Brokers' pool, pace and accounts, as the API shows them of a real adapter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foxtrot.adapter.ib import IbAdapter
from foxtrot.model.constants import ConnectionState as S
from foxtrot.monitoring.server import MonitorServer
from tests.support.ib_venue import IbUnderTest
from tests.support.monitor import Client
from tests.support.rig import eventually
from tests.support.trading_rig import trading

AAPL = "AAPL-USD-STK"
PATHS = (
    "/api/v1/health",
    "/api/v1/adapters",
    "/api/v1/streams",
    "/api/v1/orders",
    "/api/v1/system/config",
    "/api/v1/data/info",
    "/api/v1/ib/pool/status",
    "/api/v1/ib/pool/metrics",
    "/api/v1/ib/pool/health",
    "/api/v1/ib/pace/status",
    "/api/v1/ib/pace/stats",
    "/metrics",
)


@pytest.fixture
def client() -> Iterator[Client]:
    """A served engine whose venue is ready to trade, and has an idle connection."""
    house = IbUnderTest()
    house.start()
    try:
        with trading(house) as rig, MonitorServer(rig.engine, 0) as server:
            rig.subscribe(AAPL)
            rig.connect()
            rig.wait_trading(S.READY)
            rig.wait_state(S.READY)
            assert isinstance(rig.adapter, IbAdapter)
            assert rig.adapter.search_contracts("MSFT")
            yield Client(server)
    finally:
        house.stop()


def facts(client: Client, path: str) -> dict[str, object]:
    (shown,) = client.get(path).data["adapters"].values()  # type: ignore[attr-defined]
    assert isinstance(shown, dict)
    return shown


def test_the_pool_is_shown_and_cleaned(client: Client) -> None:
    """What is in use and idle, under which ids; a cleanup closes what nobody uses."""
    status = facts(client, "/api/v1/ib/pool/status")
    assert (status["in_use"], status["idle"], status["client_ids.trading"]) == (2, 1, "1")
    metrics = facts(client, "/api/v1/ib/pool/metrics")
    assert metrics["established"] == 3
    assert not set(metrics) & set(status)
    assert facts(client, "/api/v1/ib/pool/health")["healthy"] is True
    assert client.post("/api/v1/ib/pool/cleanup").status == 200
    eventually(lambda: facts(client, "/api/v1/ib/pool/status")["idle"] == 0, "an empty pool")
    assert facts(client, "/api/v1/ib/pool/status")["in_use"] == 2


def test_the_pace_is_shown(client: Client) -> None:
    """What is left of what TWS allows, and what was sent."""
    status = facts(client, "/api/v1/ib/pace/status")
    assert status["limits.market_data_lines.left"] == 99
    assert status["messages_waiting"] == 0
    assert facts(client, "/api/v1/ib/pace/stats")["messages"] > 0  # type: ignore[operator]


def test_no_account_number_is_in_any_answer(client: Client) -> None:
    """Not in values, keys, texts or metrics; the venue told them, and the engine knows them."""
    known = {each.accountid for each in client.server.engine.get_all_accounts()}
    assert any(each.startswith("DU") for each in known)
    for path in PATHS:
        reply = client.get(path)
        assert reply.status == 200, path
        assert b"DU" not in reply.body, path
