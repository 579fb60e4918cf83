"""What `connect` takes for Interactive Brokers, validated."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass

from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import Setting
from foxtrot.model.constants import Environment

FIELDS = (
    "environment",
    "host",
    "port",
    "client_id",
    "account",
    "market_data",
    "read_only",
    "market_data_lines",
    "depth_lines",
)

PORTS = {
    7496: Environment.LIVE,
    4001: Environment.LIVE,
    7497: Environment.PAPER,
    4002: Environment.PAPER,
}
"""Ports that TWS (74..) and IB Gateway (40..) have unless somebody changes them.

Source: TWS API documents, "Initial Setup".
"""

MARKET_DATA = {"live": 1, "frozen": 2, "delayed": 3, "delayed_frozen": 4}
"""Kinds of market data. Source: TWS API documents, "Market Data Types"."""

ENVIRONMENTS = (Environment.SIMULATED, Environment.PAPER, Environment.LIVE)
_WHERE = "connect"
_HIGHEST_PORT = 65_535
_HIGHEST_ID = 2**31 - 1
_MOST_LINES = 10_000


@dataclass(frozen=True, slots=True)
class IbSettings:
    """A validated connect setting.

    Args:
        environment: What kind of account TWS is logged in to.
        host: Of TWS or IB Gateway.
        port: Its API port.
        client_id: Of the connection that trades; orders belong to it, so it never changes.
        account: Which of the login's accounts is traded; may be empty if there is one.
        market_data: A key of `MARKET_DATA`.
        read_only: Do not trade, such as with TWS's "Read-Only API".
        market_data_lines: How many streams of ticks the user may have at once.
        depth_lines: How many order books, and how many tick-by-tick streams.
    """

    environment: Environment
    host: str
    port: int
    client_id: int = 1
    account: str = ""
    market_data: str = "live"
    read_only: bool = False
    market_data_lines: int = 100
    depth_lines: int = 3

    @property
    def endpoint(self) -> str:
        """Host and port, fit to be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def account_key(self) -> str:
        """Names the account's journal, the account as a hash; empty if it is not traded.

        Each simulated gateway counts its orders anew, so each is an account of its own; so is an
        unnamed account, as only its place is known.
        """
        if self.read_only:
            return ""
        known = self.account and self.environment is not Environment.SIMULATED
        place = "" if known else f"{self.endpoint}/{self.client_id}"
        digest = hashlib.sha256(f"{place}/{self.account}".encode()).hexdigest()[:12]
        return f"ib-{self.environment.value}-{digest}"

    @property
    def market_data_type(self) -> int:
        """The kind of market data as the API's number."""
        return MARKET_DATA[self.market_data]

    @classmethod
    def parse(cls, setting: Setting) -> IbSettings:
        """Validate what a user gave to `connect`.

        Raises:
            ConfigurationError: Names the field and what is allowed.
        """
        for field in setting:
            if field not in FIELDS:
                raise _wrong(field, f"is not known; allowed: {', '.join(FIELDS)}")
        environment = _environment(setting)
        host = _host(setting, environment)
        port = _port(setting, environment)
        client_id = _number(setting, "client_id", 1, lowest=0, highest=_HIGHEST_ID)
        market_data = _text(setting, "market_data").lower() or "live"
        if market_data not in MARKET_DATA:
            raise _wrong("market_data", f"must be one of: {', '.join(MARKET_DATA)}")
        account = _text(setting, "account").upper()
        if not account.isascii() or not (account.isalnum() or not account):
            raise _wrong("account", "is no account number, such as DU1234567")
        read_only = _flag(setting, "read_only")
        lines = _number(setting, "market_data_lines", 100, lowest=1, highest=_MOST_LINES)
        depths = _number(setting, "depth_lines", 3, lowest=0, highest=_MOST_LINES)
        return cls(
            environment, host, port, client_id, account, market_data, read_only, lines, depths
        )


def _wrong(field: str, problem: str) -> ConfigurationError:
    return ConfigurationError(_WHERE, field, problem)


def _scalar(setting: Setting, field: str) -> str | int | float | bool | None:
    value = setting.get(field, "")
    if isinstance(value, list):  # a desktop's choice: the first is the default
        return value[0] if value else ""
    return value


def _text(setting: Setting, field: str) -> str:
    value = _scalar(setting, field)
    if not isinstance(value, str):
        raise _wrong(field, f"must be text, was {type(value).__name__}")
    return value.strip()


def _number(setting: Setting, field: str, default: int, *, lowest: int, highest: int) -> int:
    """A whole number; as text too, since a desktop's form may give it so."""
    value = _scalar(setting, field)
    if value is None or value == "":
        return default
    text = str(value).strip()
    if isinstance(value, bool | float) or not (text.isascii() and text.isdecimal()):
        raise _wrong(field, f"must be a whole number from {lowest} to {highest}")
    if not lowest <= (number := int(text[:10])) <= highest or len(text) > 10:
        raise _wrong(field, f"must be a whole number from {lowest} to {highest}")
    return number


def _flag(setting: Setting, field: str) -> bool:
    value = _scalar(setting, field)
    words = {True: True, False: False, "true": True, "false": False, "": False}
    key = value.strip().lower() if isinstance(value, str) else value
    if isinstance(key, bool | str) and key in words:
        return words[key]
    raise _wrong(field, "must be true or false")


def _environment(setting: Setting) -> Environment:
    names = ", ".join(each.value for each in ENVIRONMENTS)
    text = _text(setting, "environment").lower()
    if not text:
        raise _wrong("environment", f"is missing; choose one of: {names}")
    for each in ENVIRONMENTS:
        if text == each.value:
            return each
    raise _wrong("environment", f"is not one of: {names}")


def _host(setting: Setting, environment: Environment) -> str:
    host = _text(setting, "host") or "127.0.0.1"
    if not host.isprintable() or any(each in host for each in " /@"):
        raise _wrong("host", "must be a host name or an address, without a scheme or a port")
    if environment is Environment.SIMULATED and not _is_loopback(host):
        problem = "must be an address of this machine while environment is simulated"
        raise _wrong("host", problem)
    return host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(setting: Setting, environment: Environment) -> int:
    port = _number(setting, "port", 0, lowest=1, highest=_HIGHEST_PORT)
    if not port:
        advice = "is missing; TWS has 7497 (paper) or 7496 (live), IB Gateway 4002 or 4001"
        if environment is Environment.SIMULATED:
            advice = "is missing; start a gateway with: foxtrot sim ib --port 9002, and give 9002"
        raise _wrong("port", advice)
    usual = PORTS.get(port, environment)
    if usual is not environment:
        problem = (
            f"{port} is the usual port of {usual.value} accounts, but environment is"
            f" {environment.value}; change one, or TWS's port if you mean it"
        )
        raise _wrong("port", problem)
    return port
