"""`foxtrot ib` against a simulated TWS gateway."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot.adapter.ib.client_ids import IbClientIdRegistry
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.app import ib
from foxtrot.app.ib import IbPlace
from foxtrot.errors import ConfigurationError, ConnectError
from foxtrot.simulator.ib import SimulatedIb
from tests.support.ib_venue import running_ib


@pytest.fixture
def tws() -> Iterator[SimulatedIb]:
    with running_ib() as venue:
        yield venue


@pytest.fixture(autouse=True)
def unchanged_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ib.logs, "configure", lambda **_: None)


def at(venue: SimulatedIb) -> IbPlace:
    return IbPlace(host=venue.host, port=venue.port, environment="simulated")


def settings_file(tmp_path: Path, **venues: dict[str, object]) -> Path:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"venues": venues}))
    return file


def test_status_says_what_a_tws_answers_and_takes_no_id_that_trades(tws: SimulatedIb) -> None:
    """Version, accounts, times, and who of this machine is connected; the trading id stays free."""
    endpoint = f"{tws.host}:{tws.port}"
    assert IbClientIdRegistry("IB", endpoint, 1).lease(Purpose.TRADING) == 1
    text = "\n".join(ib.status(at(tws), json=False))
    assert f"{endpoint} (simulated) answers." in text
    assert "server version   176" in text
    assert "accounts         DU1234567" in text
    assert "client id        300 for this look; 1 trades" in text
    assert "pace             1 messages, 0 waited, 0 violations" in text
    assert f"    1  trading    process {os.getpid()}" in text

    (line,) = ib.status(at(tws), json=True)
    facts = json.loads(line)
    assert abs(facts["time_difference_s"]) <= 2
    assert [each["client_id"] for each in facts["client_ids"]] == [1]


def test_status_reads_a_settings_file(tws: SimulatedIb, tmp_path: Path) -> None:
    """The venue of IB is found by its adapter, whatever its name."""
    connect = {"environment": "simulated", "host": tws.host, "port": tws.port, "client_id": 7}
    file = settings_file(tmp_path, DESK={"adapter": "ib", "connect": connect})
    assert "7 trades" in "\n".join(ib.status(IbPlace(config=file), json=False))


def test_contracts_are_found_under_the_name_to_order_them_by(tws: SimulatedIb) -> None:
    """A search tells symbols as `subscribe` takes them."""
    first = next(iter(ib.contracts(at(tws), "aapl", json=False)))
    assert first.startswith("AAPL-USD-STK.SMART")
    facts = json.loads(next(iter(ib.contracts(at(tws), "aapl", json=True))))
    assert (facts["vt_symbol"], facts["con_id"]) == ("AAPL-USD-STK.SMART", 265598)
    (nothing,) = ib.contracts(at(tws), "zzzzz", json=False)
    assert nothing == "TWS knows no contract that begins with 'zzzzz'"


def test_ids_say_who_has_which() -> None:
    """Each leased id with its purpose and process; a sentence if there is none."""
    assert list(ib.ids(json=False)) == ["no foxtrot of this user has a client id at any TWS"]
    IbClientIdRegistry("IB", "127.0.0.1:7497", 1).lease(Purpose.STREAMING)
    (line,) = ib.ids(json=False)
    assert line.startswith(f"127.0.0.1:7497    100  streaming  process {os.getpid()}, since 20")
    (facts,) = map(json.loads, ib.ids(json=True))
    assert (facts["client_id"], facts["purpose"], facts["pid"]) == (100, "streaming", os.getpid())


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        (IbPlace(), "--port: is missing; TWS has 7497"),
        (IbPlace(port=7496), "--port: 7496 is the usual port of live accounts"),
        (IbPlace(port=1, environment="moon"), "--environment: is not one of"),
        (IbPlace(config=Path("x"), port=1), "--config: names the gateway already"),
    ],
)
def test_a_wrong_place_is_blamed_on_its_option(place: IbPlace, advice: str) -> None:
    """The error names what to write on the command line."""
    with pytest.raises(ConfigurationError, match=f"command line: {advice}"):
        list(ib.status(place, json=False))


def test_a_mistake_in_a_settings_file_is_blamed_on_its_place(tmp_path: Path) -> None:
    """The error names the file and the field; several venues of IB are to be told apart."""
    good = {"adapter": "ib", "connect": {"environment": "paper", "port": 7497}}
    bad = {"adapter": "ib", "connect": {"environment": "paper", "port": "x"}}
    binance = {"adapter": "binance"}
    file = settings_file(tmp_path, A=good, B=bad, C=binance)
    with pytest.raises(ConfigurationError, match="has 2 venues of IB; name one with --venue"):
        list(ib.status(IbPlace(config=file), json=False))
    with pytest.raises(ConfigurationError, match=r"venues\.B\.connect\.port: must be a whole"):
        list(ib.status(IbPlace(config=file, venue="b"), json=False))
    with pytest.raises(ConfigurationError, match="has no venues of IB that are meant"):
        list(ib.status(IbPlace(config=file, venue="c"), json=False))


def test_what_only_tws_can_know_is_blamed_on_its_option_too(tws: SimulatedIb) -> None:
    """An account that TWS has not is named as it was written."""
    place = IbPlace(host=tws.host, port=tws.port, environment="simulated", account="DU9")
    with pytest.raises(ConfigurationError, match="command line: --account: is not one of TWS's"):
        list(ib.status(place, json=False))
    with pytest.raises(ConfigurationError, match="search: pattern: must have 1 to 64 letters"):
        list(ib.contracts(at(tws), "", json=False))


def test_a_tws_that_is_not_there_is_an_error_with_advice() -> None:
    """Refused at once, not after a deadline."""
    with running_ib() as venue:
        gone = at(venue)
    with pytest.raises(ConnectError, match="is TWS or IB Gateway running there"):
        list(ib.status(gone, json=False))
