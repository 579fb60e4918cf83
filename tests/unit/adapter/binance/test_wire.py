"""Whether the SDK is the one that the fast path knows."""

from __future__ import annotations

import importlib.util
import ssl
import sys
from collections.abc import Callable

import aiohttp
import pytest
from ccxt.async_support.base.ws.client import Client
from ccxt.pro.binance import binance

from foxtrot.adapter.binance import wire


def hide(patch: pytest.MonkeyPatch, kind: type, name: str) -> None:
    """Take an attribute away from the class that has it."""
    owner = next(each for each in kind.__mro__ if name in vars(each))
    patch.delattr(owner, name)


def test_the_installed_sdk_has_all_names() -> None:
    """The fast path is not given up for nothing."""
    assert wire.missing_names() == ()


@pytest.mark.parametrize(
    "name",
    ["create_connection", "receive_loop", "handle_message", "on_close", "on_error", "closed",
     "buffer", "connected", "connection", "asyncio_loop", "connect"],
)  # fmt: skip
def test_a_name_that_left_the_client_is_missed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each name that is overridden or relied on is looked for."""
    hide(monkeypatch, Client, name)
    assert wire.missing_names() == (f"Client.{name}",)


@pytest.mark.parametrize("name", ["client", "clients", "on_close", "on_error"])
def test_a_name_that_left_the_exchange_is_missed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """ccxt's exchange makes the clients, and is told of their end."""
    while hasattr(binance, name):  # a base class may have one of its own
        hide(monkeypatch, binance, name)
    assert wire.missing_names() == (f"binance.{name}",)


def test_an_aiohttp_without_bytes_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one can neither leave frames undecoded nor bound its goodbye."""

    def ws_connect(self, url, *, autoping, autoclose, compress, max_msg_size, timeout): ...

    monkeypatch.setattr(aiohttp.ClientSession, "ws_connect", ws_connect)
    monkeypatch.delattr(aiohttp, "ClientWSTimeout")
    assert wire.missing_names() == ("ws_connect(decode_text)", "aiohttp.ClientWSTimeout")


def test_an_sdk_without_the_module_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import goes on, and everything of the client is missed."""
    monkeypatch.setitem(sys.modules, "ccxt.async_support.base.ws.client", None)
    spec = importlib.util.spec_from_file_location("wire_without_client", wire.__file__)
    assert spec is not None
    assert spec.loader is not None
    bare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare)
    assert "Client.receive_loop" in bare.missing_names()
    assert type(bare.plain_exchange({})) is bare.HeardBinance


def test_the_plain_exchange_is_the_sdks_own() -> None:
    """Its replies are heard, no more; it tells all it knows and spaces what it sends by 0.3 s."""
    plain = wire.plain_exchange({"options": {"ws": {"compress": 0}}})
    assert type(plain) is wire.HeardBinance
    assert not isinstance(plain, wire.RawBinance)
    assert (plain.enableRateLimit, plain.newUpdates) == (True, False)
    assert plain.options["ws"]["cost"] * plain.rateLimit == 300
    assert plain.options["ws"]["compress"] == 0


@pytest.mark.parametrize("make", [wire.exchange, wire.plain_exchange])
def test_authorities_are_read_once_and_every_venue_is_checked(
    make: Callable[[dict[str, object]], wire.HeardBinance],
) -> None:
    """A reconnect does not stop the loop for reading them; no certificate is taken on trust."""
    trusted = make({}).ssl_context
    assert make({}).ssl_context is trusted
    assert trusted.verify_mode is ssl.CERT_REQUIRED
    assert trusted.check_hostname
    assert trusted.get_ca_certs()
