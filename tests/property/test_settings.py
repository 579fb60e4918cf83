"""Whatever the settings file holds: settings, or an error that can be shown."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot.core import redaction
from foxtrot.core.credentials import resolve
from foxtrot.core.redaction import scrub
from foxtrot.core.settings import Changes, Settings, changes
from foxtrot.core.settings_model import KEYS
from foxtrot.errors import ConfigurationError, CredentialError

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(["B", "b", "BINANCE", "x y", ""])
FLAGS = st.sampled_from([*KEYS, "websocket", "zzz"])
VENUE_KEYS = st.sampled_from(["adapter", "connect", "subscribe", "zzz"])
SUBSCRIPTIONS = st.lists(
    st.text(max_size=8)
    | st.dictionaries(st.sampled_from(["symbol", "channel", "interval"]), SCALARS)
    | VALUES,
    max_size=3,
)
VENUES = st.dictionaries(
    NAMES,
    st.dictionaries(VENUE_KEYS, VALUES | SUBSCRIPTIONS) | VALUES,
    max_size=3,
)
STRATEGIES = st.lists(
    st.dictionaries(
        st.sampled_from(["class", "name", "symbols", "adapter", "params", "risk", "zzz"]),
        VALUES | NAMES | st.lists(NAMES, max_size=2),
    )
    | VALUES,
    max_size=2,
)
DOCUMENTS = st.builds(
    lambda common, own, venues, strategies: {**common, **own, **venues, **strategies},
    st.dictionaries(FLAGS, VALUES, max_size=3),
    st.dictionaries(st.builds("adapters.{}.{}".format, NAMES, FLAGS), VALUES, max_size=3),
    st.just({}) | st.builds(lambda venues: {"venues": venues}, VENUES | VALUES),
    st.just({}) | st.builds(lambda entries: {"strategies": entries}, STRATEGIES | VALUES),
)
NUMBERS = st.floats(0.05, 60)
GOOD = st.fixed_dictionaries(
    {},
    optional={
        "websocket.enabled": st.booleans(),
        "polling.interval": NUMBERS,
        "engine.bounded_limit": st.integers(1, 1000),
        "adapters.B.websocket.enabled": st.booleans(),
        "adapters.C.polling.interval": NUMBERS,
        "strategies": st.lists(
            st.fixed_dictionaries(
                {
                    "class": st.sampled_from(["cross", "a.b:C"]),
                    "name": st.sampled_from("xyz"),
                    "symbols": st.just(["A.BINANCE"]),
                },
                optional={"params": st.dictionaries(st.sampled_from("abc"), st.integers())},
            ),
            max_size=2,
            unique_by=lambda entry: entry["name"],
        ),
        "venues": st.dictionaries(
            st.sampled_from(["B", "C"]),
            st.fixed_dictionaries(
                {"adapter": st.sampled_from(["binance", "ib"])},
                optional={"connect": st.dictionaries(st.sampled_from("abc"), st.integers())},
            ),
        ),
    },
)


def _can_be_shown(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


def _parse(source: object) -> Settings | None:
    try:
        return Settings.parse(source, "s.json")  # type: ignore[arg-type]
    except ConfigurationError as error:
        text = str(error)
    assert _can_be_shown(text)
    assert len(text) < 400
    return None


@given(st.binary(max_size=400))
def test_any_bytes_are_settings_or_an_error(data: bytes) -> None:
    """No other exception comes out, and the error can be printed."""
    _parse(data)


@given(st.text(st.characters(), max_size=400))
def test_any_text_is_settings_or_an_error(text: str) -> None:
    """Lone surrogates and controls are no exception."""
    _parse(text)


@given(DOCUMENTS)
def test_any_object_is_settings_or_an_error(document: dict[str, object]) -> None:
    """As JSON and as a mapping; what is accepted as one is accepted as the other."""
    by_mapping = _parse(document)
    by_json = _parse(json.dumps(document))
    if by_json is not None and by_mapping is not None:
        assert by_json == by_mapping


@given(GOOD, GOOD)
def test_changes_are_exactly_the_differences(
    old: dict[str, object], new: dict[str, object]
) -> None:
    """Nothing differs between equals; every key named differs, and there and back is the same."""
    before, after = Settings.parse(old), Settings.parse(new)
    there, back = changes(before, after), changes(after, before)
    assert changes(before, before) == Changes()
    assert {*there.applied} == {*back.applied}
    assert {*there.needs_restart} == {*back.needs_restart}
    if not there:
        assert before.flags == after.flags
        assert all(before.for_adapter(name) == after.for_adapter(name) for name in "BC")
        assert before.venues == after.venues
        assert before.strategies == after.strategies


@given(st.text(st.characters(), max_size=60))
def test_any_reference_is_a_secret_or_a_credential_error(reference: str) -> None:
    """No other exception comes out of a reference."""
    for text in (reference, f"env:{reference}", f"file:{reference}", f"file:/{reference}"):
        try:
            with pytest.MonkeyPatch.context() as patch:
                # Thousands of made-up secrets must not be scrubbed from the other tests' texts.
                patch.setattr(redaction, "_known", redaction._KnownValues())
                shown = repr(resolve(text, where="s.json", field="f"))
        except CredentialError as error:
            shown = str(error)
        assert _can_be_shown(shown)


@given(st.text(st.characters()), st.integers(1, 300))
def test_scrubbed_text_is_printable_short_and_stable(text: str, limit: int) -> None:
    """What is scrubbed can be shown, keeps to its limit, and scrubbing again changes nothing."""
    once = scrub(text)
    assert scrub(once) == once
    assert len(scrub(text, limit=limit)) <= limit
    once.encode("utf-8")
    assert _can_be_shown(once)
