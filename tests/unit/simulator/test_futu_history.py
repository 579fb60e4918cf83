"""The simulated OpenD's past: pages, quota, windows."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from foxtrot.simulator.futu import FutuLimits, SimulatedFutu
from foxtrot.simulator.futu_schema import Message, Proto
from tests.unit.simulator.futu_client import Client

BARS = Proto.Qot_RequestHistoryKL


def asked(code: str = "00700", **changes: Any) -> dict[str, Any]:
    """The fields of a request for the minutes of two days."""
    fields = {
        "rehabType": 0,
        "klType": 1,
        "security": {"market": 1, "code": code},
        "beginTime": "2026-11-10",
        "endTime": "2026-11-11",
        "maxAckKLNum": 1_000,
    }
    return fields | changes


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an OpenD that allows two codes and three first pages."""
    limits = FutuLimits(history_codes=2, history=3)
    async with SimulatedFutu(rate_hz=0, limits=limits) as venue:
        yield Client(venue)


async def test_the_past_comes_in_pages_that_join(client: Client) -> None:
    """2880 minutes in three pages; each page's key leads to the next, and the last has none."""
    pages: list[Message] = [client.get(BARS, **asked())]
    while pages[-1].HasField("nextReqKey"):
        pages.append(client.get(BARS, **asked(nextReqKey=pages[-1].nextReqKey)))
    rows = [row for page in pages for row in page.klList]
    assert [len(page.klList) for page in pages] == [1_000, 1_000, 880]
    assert (rows[0].time, rows[-1].time) == ("2026-11-10 00:00:00", "2026-11-11 23:59:00")
    steps = {two.timestamp - one.timestamp for one, two in itertools.pairwise(rows)}
    assert steps == {60.0}
    assert all(row.lowPrice <= row.openPrice <= row.highPrice for row in rows)
    assert all(one.closePrice == two.lastClosePrice for one, two in itertools.pairwise(rows))


async def test_only_the_fields_that_are_wanted_come(client: Client) -> None:
    """Close and volume alone, if the flags say so; every row has its time."""
    page = client.get(BARS, **asked(klType=2, needKLFieldsFlag=8 | 32))
    assert len(page.klList) == 2
    for row in page.klList:
        names = {field.name for field, _ in row.ListFields()}
        assert names == {"time", "timestamp", "isBlank", "closePrice", "volume"}


async def test_codes_and_first_pages_are_counted(client: Client) -> None:
    """The quota is of codes, the window of first pages; following pages are free."""
    client.get(BARS, **asked())
    key = client.get(BARS, **asked("09988")).nextReqKey
    assert "额度不足" in client.refused(BARS, **asked("00005"))
    quota = client.get(Proto.Qot_RequestHistoryKLQuota, bGetDetail=True)
    assert (quota.usedQuota, quota.remainQuota) == (2, 0)
    assert [row.security.code for row in quota.detailList] == ["00700", "09988"]
    text = client.refused(BARS, **asked())
    assert text == "获取历史K线频率太高，请求失败，每30秒最多3次。"
    assert client.get(BARS, **asked("09988", nextReqKey=key)).klList


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "99999"},
        {"klType": 77},
        {"beginTime": "yesterday"},
        {"beginTime": "2026-11-12"},
        {"nextReqKey": b"nonsense"},
        {"maxAckKLNum": -1},
    ],
)
async def test_what_makes_no_sense_is_refused(client: Client, changes: dict[str, Any]) -> None:
    """An unknown code, bar, time, key or size; a span that ends before it begins."""
    assert client.refused(BARS, **asked(**changes))
