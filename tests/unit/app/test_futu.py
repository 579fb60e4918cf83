"""`foxtrot futu` against a simulated OpenD."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.app import futu, past
from foxtrot.app.futu import FutuPlace
from foxtrot.errors import ConfigurationError, ConnectError, PermissionDenied
from foxtrot.model.constants import Interval
from foxtrot.simulator.futu import FutuLimits, SimulatedFutu, SimulatedFutuThread
from foxtrot.simulator.futu_accounts import DEFAULT_ACCOUNTS, AccountSpec
from tests.support.futu_venue import running_futu


@pytest.fixture
def opend() -> Iterator[SimulatedFutu]:
    with running_futu() as venue:
        yield venue


@pytest.fixture(autouse=True)
def unchanged_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futu.logs, "configure", lambda **_: None)


def at(venue: SimulatedFutu, **options: str) -> FutuPlace:
    return FutuPlace(host=venue.host, port=venue.port, **options)  # type: ignore[arg-type]


def test_status_says_how_opend_is_and_who_would_be_traded(opend: SimulatedFutu) -> None:
    """Servers, markets, every account by its number; nothing is unlocked for it."""
    text = "\n".join(futu.status(at(opend, environment="simulated"), json=False))
    assert f"{opend.host}:{opend.port} (simulated) answers." in text
    assert "OpenD            1011, build 7108" in text
    assert "quote servers    connected" in text
    assert "HK Morning" in text
    assert "281756457982434020, real, HK US HKCC <- would be traded" in text
    assert "9053218, simulate, HK\n" in text

    (line,) = futu.status(at(opend, market="US"), json=True)
    facts = json.loads(line)
    assert [each["number"] for each in facts["accounts"] if each["traded"]] == ["9053219"]
    assert abs(facts["time_difference_s"]) <= 2
    assert opend.accounts.unlocks == 0


def test_status_says_why_no_account_would_be_traded(opend: SimulatedFutu) -> None:
    """The accounts that there are stand above it, to take one of."""
    *accounts, problem = futu.status(at(opend, account="77"), json=False)
    assert problem.startswith("  no account would be traded: OpenD has no such simulate account")
    assert accounts[-1] == "  account          9053220, simulate, CN"


def test_status_shows_an_account_of_an_unknown_kind() -> None:
    """Futu may open accounts that nobody here has heard of; they are told by their number."""
    accounts = (AccountSpec(77, 9, (1,), {"HKD": 1}), *DEFAULT_ACCOUNTS)
    with SimulatedFutuThread(SimulatedFutu(rate_hz=0.0, accounts=accounts)) as thread:
        venue = thread.venue
        lines = list(futu.status(at(venue, environment="simulated"), json=False))
    assert "  account          77, kind 9, HK" in lines


def test_status_tells_servers_that_opend_has_lost(opend: SimulatedFutu) -> None:
    """OpenD answers for itself while Futu's servers are away."""
    opend.faults.inject("farm_down")
    text = "\n".join(futu.status(at(opend), json=False))
    assert "quote servers    not connected: no data or orders" in text


def test_status_of_a_settings_file_needs_no_password(opend: SimulatedFutu, tmp_path: Path) -> None:
    """Whoever only looks need not have the secret that the file names."""
    connect = {"environment": "live", "port": opend.port, "password": "env:NOT_SET_IN_THIS_TEST"}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"venues": {"DESK": {"adapter": "futu", "connect": connect}}}))
    assert "(live) answers" in next(iter(futu.status(FutuPlace(config=file), json=False)))


def test_contracts_are_told_with_lot_and_step_or_with_what_is_wrong(opend: SimulatedFutu) -> None:
    """One unknown name takes no other along; Futu's own spelling is answered with ours."""
    names = ["00700", "TSLA.NASDAQ", "00701.SEHK", "US.AAPL"]
    told = list(futu.contracts(at(opend), names, json=False))
    assert told[0] == "00700.SEHK     TENCENT (Equity; lots of 100, steps of 0.5 HKD)"
    assert told[1].startswith("TSLA.NASDAQ    Tesla (Equity; lots of 1, steps of 0.01 USD)")
    assert "'00701' is not traded at SEHK" in told[2]
    assert "write AAPL.SMART instead" in told[3]
    facts = [json.loads(line) for line in futu.contracts(at(opend), names[1:3], json=True)]
    assert (facts[0]["lot_size"], facts[0]["currency"]) == (1, "USD")
    assert "is not traded" in facts[1]["problem"]


def test_quota_says_what_is_used(opend: SimulatedFutu, tmp_path: Path) -> None:
    """Bars of the past count their contract, as OpenD does."""
    end = dt.datetime.now(dt.UTC)
    query = past.Query("00700.SEHK", end - dt.timedelta(hours=1), end, Interval.MINUTE)
    target = tmp_path / "bars.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past.logs, "configure", lambda **_: None)
        past.write_csv(query, at(opend).open_adapter, target)
    with target.open() as file:
        assert len(list(csv.reader(file))) > 1
    subscriptions, history, contract = futu.quota(at(opend), json=False)
    assert subscriptions.startswith("subscriptions  0 of 100 used")
    assert history.startswith("history        1 of 100 contracts used")
    assert contract.startswith("  00700.SEHK     TENCENT, since 20")
    assert opend.accounts.unlocks == 0, "nothing was traded"
    (line,) = futu.quota(at(opend), json=True)
    assert json.loads(line)["past_left"] == 99


def test_a_quota_of_the_past_that_is_used_up_says_where_to_look() -> None:
    """OpenD's words, and the command that shows what uses it."""
    with running_futu(limits=FutuLimits(history_codes=0)) as venue:
        now = dt.datetime.now(dt.UTC)
        query = past.Query("00700.SEHK", now - dt.timedelta(hours=1), now, Interval.MINUTE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(past.logs, "configure", lambda **_: None)
            with pytest.raises(PermissionDenied, match=r"额度不足.*foxtrot futu quota"):
                past.write_csv(query, at(venue).open_adapter, None)


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        (FutuPlace(environment="moon"), "--environment: is not one of"),
        (FutuPlace(market="JP"), "--market: must be one of: HK, US, CN"),
        (FutuPlace(rsa_key_file="key.pem"), "--rsa-key-file: must be an absolute path"),
        (FutuPlace(rsa_key_file="/no/such/key.pem"), "--rsa-key-file: cannot be read"),
        (FutuPlace(account="DU1"), "--account: must be the number of an account"),
        (FutuPlace(config=Path("x"), market="HK"), "--config: names the gateway already; leave"),
    ],
)
def test_a_wrong_place_is_blamed_on_its_option(place: FutuPlace, advice: str) -> None:
    """The error names what to write on the command line."""
    with pytest.raises(ConfigurationError, match=f"command line: {advice}"):
        list(futu.status(place, json=False))


def test_an_opend_that_is_not_there_is_an_error_with_advice() -> None:
    """Refused at once, not after a deadline."""
    with running_futu() as venue:
        gone = at(venue)
    with pytest.raises(ConnectError, match="is OpenD running, and is this its port"):
        list(futu.status(gone, json=False))
