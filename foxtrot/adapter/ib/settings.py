"""What `connect` takes for Interactive Brokers, validated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from foxtrot.gateway.connect_fields import HIGHEST_PORT, ConnectFields, Setting, wrong
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
    "allow_remote",
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
        fields = ConnectFields(setting, FIELDS)
        environment = fields.environment(ENVIRONMENTS)
        market_data = fields.text("market_data").lower() or "live"
        if market_data not in MARKET_DATA:
            raise wrong("market_data", f"must be one of: {', '.join(MARKET_DATA)}")
        account = fields.text("account").upper()
        if not account.isascii() or not (account.isalnum() or not account):
            raise wrong("account", "is no account number, such as DU1234567")
        return cls(
            environment,
            fields.host(environment, "TWS"),
            _port(fields, environment),
            fields.number("client_id", 1, lowest=0, highest=_HIGHEST_ID),
            account,
            market_data,
            fields.flag("read_only"),
            fields.number("market_data_lines", 100, lowest=1, highest=_MOST_LINES),
            fields.number("depth_lines", 3, lowest=0, highest=_MOST_LINES),
        )


def _port(fields: ConnectFields, environment: Environment) -> int:
    port = fields.number("port", 0, lowest=1, highest=HIGHEST_PORT)
    if not port:
        advice = "is missing; TWS has 7497 (paper) or 7496 (live), IB Gateway 4002 or 4001"
        if environment is Environment.SIMULATED:
            advice = "is missing; start a gateway with: foxtrot sim ib --port 9002, and give 9002"
        raise wrong("port", advice)
    usual = PORTS.get(port, environment)
    if usual is not environment:
        problem = (
            f"{port} is the usual port of {usual.value} accounts, but environment is"
            f" {environment.value}; change one, or TWS's port if you mean it"
        )
        raise wrong("port", problem)
    return port
