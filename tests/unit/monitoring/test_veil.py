"""No account number leaves in clear, and no secret at all."""

from __future__ import annotations

from foxtrot.core.logs import register_secret
from foxtrot.engine.main_engine import MainEngine
from foxtrot.model.events import EVENT_ACCOUNT, Event
from foxtrot.model.objects import AccountData
from foxtrot.monitoring.veil import Veil, accounts_of
from tests.support.rig import eventually


def test_an_account_is_called_by_a_name_of_ours_wherever_it_stands() -> None:
    """In values and keys, alone and in the middle of a text; the same name each time."""
    veil = Veil()
    data = {"DU1234567": ["of DU1234567.", {"file": "journal-DU1234567.db", "n": 1}], "b": None}
    name = veil.name("DU1234567")
    clean = veil.over(data, {"DU1234567"})
    assert clean == {name: [f"of {name}.", {"file": f"journal-{name}.db", "n": 1}], "b": None}
    assert "1234567" not in name


def test_accounts_that_a_refused_connect_names_are_hidden_too() -> None:
    """TWS is logged in to others than the setting says: nothing else knows their numbers yet."""
    veil = Veil()
    text = "connect: account: is not one of TWS's: U1234567, DU7654321"
    hidden = f"{veil.name('U1234567')}, {veil.name('DU7654321')}"
    assert veil.over(text, {"DU1"}) == text.replace("U1234567, DU7654321", hidden)


def test_only_whole_words_are_accounts() -> None:
    """An order id that holds the same digits by chance stays as it is."""
    assert Veil().over("order 912345678", {"12345"}) == "order 912345678"


def test_names_differ_from_process_to_process() -> None:
    """So nobody finds the number by trying all of them, and comparing."""
    assert Veil().name("DU1234567") != Veil().name("DU1234567")


def test_secrets_are_taken_out() -> None:
    """Those of this process, and what looks like one."""
    register_secret("canary-of-the-veil")
    data = {"reason": "key canary-of-the-veil", "error": "GET /x?signature=deadbeef failed"}
    clean = str(Veil().over(data, ()))
    assert "canary" not in clean
    assert "deadbeef" not in clean


def test_numbers_of_accounts_are_known_from_settings_and_venues() -> None:
    """An asset, which Binance calls an account, is none."""
    venue = {"adapter": "ib", "connect": {"account": "DU7654321"}}
    with MainEngine(settings={"venues": {"IB": venue}}) as engine:
        for name in ("USDT", "1000SATS", "281756457888.HKD"):
            engine.event_engine.put(Event(EVENT_ACCOUNT, AccountData("X", name, 1.0, 0.0)))
        eventually(lambda: len(engine.get_all_accounts()) == 3, "accounts")
        assert accounts_of(engine) == {"DU7654321", "281756457888"}
