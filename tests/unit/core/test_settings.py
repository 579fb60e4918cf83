"""The settings file: what it may say, what is refused and in which words, what a change does."""

import pytest

from foxtrot.core.redaction import scrub
from foxtrot.core.settings import (
    Changes,
    FeatureFlags,
    RiskLimits,
    Settings,
    StrategyEntry,
    SubscriptionEntry,
    VenueEntry,
    changes,
)
from foxtrot.core.settings_model import KEYS
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Channel, Interval

CANARY = "canary-3b9c-literal"


def _venue(**entries: object) -> dict[str, object]:
    return {"venues": {"B": {"adapter": "binance", **entries}}}


def _strategy(**entries: object) -> dict[str, object]:
    whole = {"class": "cross", "name": "c", "symbols": ["A.BINANCE"], **entries}
    return {"strategies": [{key: value for key, value in whole.items() if value is not None}]}


def _refused(source: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Settings.parse(source, "s.json")  # type: ignore[arg-type]
    text = str(caught.value)
    assert text.startswith("s.json: ")
    assert caught.value.__context__ is None
    return text.removeprefix("s.json: ")


# --- what it says ---------------------------------------------------------------------------------


def test_empty_settings_are_the_defaults() -> None:
    """Nothing has to be written."""
    settings = Settings.parse("{}")
    assert settings == Settings()
    assert settings.flags.websocket_enabled is True
    assert settings.flags.websocket_max_reconnect_attempts == 50
    assert (settings.flags.liveness_idle_s, settings.flags.liveness_probe_s) == (15.0, 4.0)
    assert settings.venues == {}


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_an_attribute(key: str) -> None:
    """An attribute is the dotted key with underscores and no other change."""
    assert KEYS[key] == key.replace(".", "_")
    assert hasattr(Settings().flags, KEYS[key])


def test_a_flag_can_be_set_for_one_adapter() -> None:
    """The adapter's own value counts there, the common one elsewhere; case does not matter."""
    settings = Settings.parse({"polling.interval": 3, "adapters.Binance.websocket.enabled": False})
    for name in ("BINANCE", "binance"):
        assert settings.for_adapter(name).websocket_enabled is False
        assert settings.for_adapter(name).polling_interval == 3.0
    assert settings.for_adapter("IB") is settings.flags
    assert settings.flags.websocket_enabled is True


def test_venues_say_adapter_connect_and_subscriptions() -> None:
    """A subscription is a symbol, or an object with a channel."""
    settings = Settings.parse(
        _venue(
            connect={"environment": "testnet", "hosts": ["a", "b"], "port": 1, "x": None},
            subscribe=[
                "BTCUSDT",
                {"symbol": "ETHUSDT", "channel": "depth"},
                {"symbol": "币安人生USDT", "channel": "bar", "interval": "5m"},
            ],
        )
    )
    venue = settings.venues["B"]
    assert venue.adapter == "binance"
    assert dict(venue.connect) == {
        "environment": "testnet", "hosts": ("a", "b"), "port": 1, "x": None,
    }  # fmt: skip
    assert [(each.symbol, each.channel, each.interval) for each in venue.subscribe] == [
        ("BTCUSDT", Channel.TICK, Interval.MINUTE),
        ("ETHUSDT", Channel.DEPTH, Interval.MINUTE),
        ("币安人生USDT", Channel.BAR, Interval.MINUTE_5),
    ]
    assert isinstance(venue, VenueEntry)
    assert isinstance(venue.subscribe[0], SubscriptionEntry)


def test_strategies_say_class_symbols_parameters_and_limits() -> None:
    """What is not said has its default: no limit, and the venue that serves the symbols."""
    settings = Settings.parse(
        _strategy(params={"fast": 10, "sides": ["long"]}, risk={"max_loss": 50})
    )
    assert settings.strategies == (
        StrategyEntry.model_validate(
            {
                "class": "cross",
                "name": "c",
                "symbols": ("A.BINANCE",),
                "params": {"fast": 10, "sides": ("long",)},
                "risk": RiskLimits(max_loss=50.0),
            }
        ),
    )
    (entry,) = settings.strategies
    assert (entry.adapter, entry.risk.max_position, entry.risk.max_open_orders) == ("", 0, 0)
    assert dict(entry.params) == {"fast": 10, "sides": ("long",)}


@pytest.mark.parametrize("place", ["journals", "./journals", "~nobody-of-this-name/x", "/a\0b"])
def test_a_journal_that_moves_with_the_shell_is_refused(place: str) -> None:
    """Started from another directory, the program would know none of its open orders."""
    problem = "must be an absolute path, or one that begins with ~/; empty: the data directory"
    assert _refused({"journal.directory": place}) == f"journal.directory: {problem}"


def test_a_journal_may_be_in_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is the user's home, and no directory of that name."""
    monkeypatch.setenv("HOME", "/home/me")
    for written, meant in (("~/j", "/home/me/j"), ("/srv/j", "/srv/j"), ("", "")):
        flags = Settings.parse({"journal.directory": written}).flags
        assert flags.journal_directory == meant


def test_settings_cannot_be_changed() -> None:
    """A reload makes new settings; the old ones stay what they were."""
    settings = Settings.parse(_venue(connect={"a": 1}))
    with pytest.raises(ValueError, match="frozen"):
        settings.flags.websocket_enabled = False  # type: ignore[misc]
    with pytest.raises(AttributeError):
        settings.flags = FeatureFlags()  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.venues["C"] = settings.venues["B"]  # type: ignore[index]
    with pytest.raises(TypeError):
        settings.venues["B"].connect["a"] = 2  # type: ignore[index]


def test_settings_show_no_secret() -> None:
    """A literal secret is in no repr, no error and no log; a reference is shown."""
    settings = Settings.parse(
        _venue(connect={"secret": CANARY, "password": 918273, "api_key": "env:KEY", "host": "h"})
    )
    shown = repr(settings)
    assert CANARY not in shown
    assert "918273" not in shown
    assert "env:KEY" in shown
    assert "'host': 'h'" in shown
    assert scrub(f"{CANARY} 918273") == "<redacted> <redacted>"


# --- what is refused ------------------------------------------------------------------------------

_FLAG_ERRORS = [
    (
        {"websocket.enabled": "true"},
        ("websocket.enabled: must be true or false, not text; write it without quotation marks"),
    ),
    ({"websocket.enabled": 1}, "websocket.enabled: must be true or false; was 1"),
    ({"polling.interval": True}, "polling.interval: must be a number from 0.05 to 3600; was true"),
    ({"polling.interval": 0}, "polling.interval: must be a number from 0.05 to 3600; was 0"),
    ({"polling.interval": None}, "polling.interval: must be a number from 0.05 to 3600; was null"),
    ({"polling.interval": float("nan")}, "polling.interval: must be a number from 0.05 to 3600"),
    (
        {"websocket.max_reconnect_attempts": 1.5},
        ("websocket.max_reconnect_attempts: must be a whole number from 1 to 1000000; was 1.5"),
    ),
    (
        {"websocket.max_reconnect_attempts": 10**5000},
        ("websocket.max_reconnect_attempts: must be a whole number from 1 to 1000000"),
    ),
    (
        {"websocket.symbols": "BTCUSDT"},
        ("websocket.symbols: must be a list of at most 1024 entries, in brackets"),
    ),
    (
        {"websocket.symbols": [1]},
        ("websocket.symbols[0]: every symbol must be text of 1 to 64 characters; was 1"),
    ),
    (
        {"websocket.symbols": ["A", "B C"]},
        ("websocket.symbols[1]: must be a symbol without spaces, such as BTCUSDT"),
    ),
    (
        {"subscriptions.individual": ["tick", "trades"]},
        ("subscriptions.individual[1]: must be tick, depth, trade or bar"),
    ),
    (
        {"logging.level": "debug"},
        ("logging.level: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ),
    (
        {"websocket.enable": True},
        'websocket.enable: unknown key; did you mean "websocket.enabled"?',
    ),
    (
        {"Websocket.Enabled": True},
        ('Websocket.Enabled: unknown key; did you mean "websocket.enabled"?'),
    ),
    ({"zzz": 1}, "zzz: unknown key; docs/settings.md lists the known ones"),
    ({"websocket": {"enabled": True}}, 'websocket: flags are flat: write "websocket.enabled"'),
    ({"adapters": {}}, 'adapters: flags are flat: write "adapters.BINANCE.websocket.enabled"'),
    ({"adapters.B": 1}, "adapters.B: must be adapters.<NAME>.<flag>"),
    (
        {"adapters.B.websocket.enable": 1},
        ('adapters.B.websocket.enable: unknown key; did you mean "adapters.B.websocket.enabled"?'),
    ),
    (
        {"adapters.b.polling.interval": 0},
        ("adapters.B.polling.interval: must be a number from 0.05 to 3600; was 0"),
    ),
    (
        {"adapters.b.polling.interval": 1, "adapters.B.polling.interval": 1},
        "adapters.B.polling.interval: stands there twice, in different spellings of the name",
    ),
    (
        {"websocket.reconnect_base_delay": 61},
        ("websocket.reconnect_base_delay: must not be above websocket.reconnect_max_delay (60.0)"),
    ),
    (
        {"adapters.B.websocket.reconnect_max_delay": 0.5},
        (
            "adapters.B.websocket.reconnect_max_delay: "
            "must not be below websocket.reconnect_base_delay (1.0)"
        ),
    ),
    ({1: 2}, "every key must be text"),
]

_VENUE_ERRORS = [
    ({"venues": []}, "venues: must be an object, not a list"),
    ({"venues": {"a b": {}}}, "venues.a b: a venue's name has 1 to 32 letters, digits, - and _"),
    ({"venues": {"a": 1}}, "venues.a: must be an object, not a number"),
    ({"venues": {"a": {}}}, "venues.a.adapter: is missing"),
    (
        {"venues": {"a": {"adapter": "x"}, "A": {"adapter": "x"}}},
        ("venues.A: stands there twice, in different spellings"),
    ),
    (
        {"venues": {f"v{n}": {"adapter": "x"} for n in range(65)}},
        ("venues: must have at most 64 entries"),
    ),
    (
        _venue(adapter="Binance"),
        ("venues.B.adapter: must be a name of small letters, digits and _, such as binance"),
    ),
    (_venue(conect={}), 'venues.B.conect: unknown key; did you mean "connect"?'),
    (_venue(zzz=1), "venues.B.zzz: unknown key; the known ones are adapter, connect, subscribe"),
    (_venue(connect=[]), "venues.B.connect: must be an object"),
    (
        _venue(connect={"a b": 1}),
        ("venues.B.connect: holds a key that is not a name of letters, digits and _"),
    ),
    (
        _venue(connect={"secret": {"x": CANARY}}),
        ("venues.B.connect.secret: must be text, a number, true, false, null, or a list of these"),
    ),
    (
        _venue(connect={"secret": CANARY * 500}),
        ("venues.B.connect.secret: must have at most 8192 characters"),
    ),
    (
        _venue(connect={"hosts": [1] * 1025}),
        ("venues.B.connect.hosts: must have at most 1024 entries"),
    ),
    (
        _venue(subscribe=[1]),
        ("venues.B.subscribe[0]: must be text or an object with a symbol, not a number"),
    ),
    (_venue(subscribe=[{}]), "venues.B.subscribe[0].symbol: is missing"),
    (
        _venue(subscribe=["A", {"symbol": ""}]),
        ("venues.B.subscribe[1].symbol: must be text of 1 to 64 characters"),
    ),
    (
        _venue(subscribe=[{"symbol": "A", "channel": "ticks"}]),
        ("venues.B.subscribe[0].channel: must be one of tick, depth, trade, bar"),
    ),
    (
        _venue(subscribe=[{"symbol": "A", "interval": "1m"}]),
        ('venues.B.subscribe[0]: interval counts for the channel "bar" only'),
    ),
    (
        _venue(subscribe=[{"symbol": "A", "channel": "bar", "interval": "tick"}]),
        "venues.B.subscribe[0].interval: must be the length of a bar, such as 1m",
    ),
    (
        _venue(subscribe=[{"symbol": "A", "chanel": "bar"}]),
        ('venues.B.subscribe[0].chanel: unknown key; did you mean "channel"?'),
    ),
]


_STRATEGY_ERRORS = [
    ({"strategies": {}}, "strategies: must be a list, not an object"),
    ({"strategies": [1]}, "strategies[0]: must be an object, not a number"),
    ({"strategies": [{}] * 257}, "strategies: must have at most 256 entries"),
    ({"strategy": []}, 'strategy: unknown key; did you mean "strategies"?'),
    (
        {"strategies": _strategy()["strategies"] * 2},  # type: ignore[operator]
        "strategies[1].name: c stands there twice",
    ),
    (_strategy(**{"class": None}), "strategies[0].class: is missing"),
    (_strategy(clas="x"), 'strategies[0].clas: unknown key; did you mean "class"?'),
    (
        _strategy(**{"class": "a b"}),
        ("strategies[0].class: must be the name of an installed strategy, or package.module:Class"),
    ),
    (_strategy(name="a b"), "strategies[0].name: must be 1 to 64 letters, digits, - _ and ."),
    (_strategy(name=""), "strategies[0].name: must be text of 1 to 64 characters"),
    (_strategy(adapter="a b"), "strategies[0].adapter: must be a venue's name, such as BINANCE"),
    (
        _strategy(symbols=[]),
        "strategies[0].symbols: must be a list of 1 to 1024 entries, in brackets",
    ),
    (
        _strategy(symbols=["A", 1]),
        "strategies[0].symbols[1]: every symbol must be text of 1 to 64 characters",
    ),
    (
        _strategy(params={"x": {}}),
        ("strategies[0].params.x: must be text, a number, true, false, null, or a list of these"),
    ),
    (_strategy(risk=1), "strategies[0].risk: must be an object"),
    (
        _strategy(risk={"max_los": 1}),
        'strategies[0].risk.max_los: unknown key; did you mean "max_loss"?',
    ),
    (
        _strategy(risk={"max_open_orders": -1}),
        "strategies[0].risk.max_open_orders: must be a whole number from 0 to 10000",
    ),
]


@pytest.mark.parametrize(("source", "problem"), _FLAG_ERRORS + _VENUE_ERRORS + _STRATEGY_ERRORS)
def test_a_mistake_is_named(source: object, problem: str) -> None:
    """The error names file, key and what is allowed, in words a user can act on."""
    assert _refused(source) == problem


@pytest.mark.parametrize("key", ["api_key", "secret", "password", "token", "anything"])
def test_no_value_of_a_connect_setting_is_repeated(key: str) -> None:
    """Whatever is wrong with a secret, the error does not show it."""
    bad: list[object] = [{"x": CANARY}, [[CANARY]], CANARY * 1000]
    for value in bad:
        assert "canary" not in _refused(_venue(connect={key: value}))


def test_a_hostile_key_is_shown_escaped_and_cut() -> None:
    """An unknown key cannot drive a terminal or fill a screen."""
    text = _refused({"\x1b[2J\u202e" + "x " * 5000: 1})
    assert text.startswith("\\x1b[2J\\u202e")
    assert len(text) < 200


# --- what a change does ---------------------------------------------------------------------------


def _change(old: dict[str, object], new: dict[str, object]) -> Changes:
    return changes(Settings.parse(old), Settings.parse(new))


def test_the_same_settings_are_no_change() -> None:
    """Writing a default out changes nothing."""
    assert not _change({}, {"websocket.enabled": True, "adapters.B.polling.interval": 1})
    assert _change({}, {}) == Changes()


def test_flags_of_the_streams_apply_at_once() -> None:
    """Modes, delays and the log level need no restart."""
    new = {"websocket.enabled": False, "liveness.idle_s": 20, "logging.level": "DEBUG"}
    expected = ("websocket.enabled", "liveness.idle_s", "logging.level")
    assert _change({}, new) == Changes(applied=expected)


def test_flags_of_the_engine_need_a_restart() -> None:
    """It is said what does not count yet."""
    assert _change({}, {"engine.bounded_limit": 5}).needs_restart == ("engine.bounded_limit",)


def test_a_flag_of_one_adapter_is_named_with_the_adapter() -> None:
    """A change for one adapter is not one for all."""
    expected = ("adapters.B.websocket.enabled",)
    assert _change({}, {"adapters.b.websocket.enabled": False}).applied == expected
    assert _change({"adapters.b.websocket.enabled": False}, {}).applied == expected


def test_a_common_change_is_named_once() -> None:
    """Adapters that merely follow are not listed."""
    both: dict[str, object] = {"adapters.B.polling.interval": 2}
    new = {**both, "websocket.enabled": False}
    assert _change(both, new).applied == ("websocket.enabled",)


def test_connect_settings_need_a_reconnect_of_their_venue() -> None:
    """The keys are listed, the values are not, and the venue is named."""
    difference = _change(_venue(connect={"a": 1, "b": 1}), _venue(connect={"a": 2, "c": 1}))
    keys = tuple(f"venues.B.connect.{key}" for key in "abc")
    assert difference == Changes(needs_restart=keys)
    assert difference.reconnect == ("B",)


def test_subscriptions_apply_at_once() -> None:
    """A new symbol needs no restart."""
    assert _change(_venue(), _venue(subscribe=["A"])) == Changes(applied=("venues.B.subscribe",))


def test_new_gone_and_exchanged_venues_need_a_restart() -> None:
    """Adapters are made when the program starts."""
    for old, new, key in (
        ({}, _venue(), "venues.B"),
        (_venue(), {}, "venues.B"),
        (_venue(), _venue(adapter="ib"), "venues.B.adapter"),
    ):
        difference = _change(old, new)
        assert difference == Changes(needs_restart=(key,))
        assert difference.reconnect == ()


def test_new_gone_and_changed_strategies_need_a_restart() -> None:
    """A running one is not exchanged under its orders."""
    old = Settings.parse(_strategy())
    for new in (_strategy(params={"x": 1}), _strategy(risk={"max_loss": 1}), {}):
        assert changes(old, Settings.parse(new)) == Changes(needs_restart=("strategies.c",))
    assert changes(Settings(), old).needs_restart == ("strategies.c",)
