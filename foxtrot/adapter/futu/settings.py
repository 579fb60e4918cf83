"""What `connect` takes for Futu, validated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from foxtrot.core.credentials import Secret
from foxtrot.gateway.connect_fields import (
    HIGHEST_PORT,
    ConnectFields,
    Setting,
    is_loopback,
    wrong,
)
from foxtrot.model.constants import Environment

FIELDS = (
    "environment",
    "host",
    "port",
    "market",
    "account",
    "password",
    "trade_env",
    "rsa_key_file",
    "read_only",
    "allow_remote",
)

DEFAULT_PORT = 11111
"""OpenD's own. Source: OpenAPI documents, "OpenD, command line"."""

MARKETS = ("HK", "US", "CN")
ENVIRONMENTS = (Environment.SIMULATED, Environment.PAPER, Environment.LIVE)
_LONGEST_ACCOUNT = 20


class TradeEnv(IntEnum):
    """Whose accounts are traded, as Trd_Common.TrdEnv counts them."""

    SIMULATE = 0
    REAL = 1


TRADED = {
    Environment.SIMULATED: TradeEnv.REAL,
    Environment.PAPER: TradeEnv.SIMULATE,
    Environment.LIVE: TradeEnv.REAL,
}
"""What each environment trades; a simulated OpenD has accounts of both kinds."""


@dataclass(frozen=True, slots=True)
class FutuSettings:
    """A validated connect setting.

    Args:
        environment: What kind of account is traded.
        host: Of OpenD; a name or an IPv4 address.
        port: Its API port.
        market: A key of `MARKETS`: which account is traded, if several would do. Quotes are for
            all markets.
        account: Its number (accID); may be empty if one fits.
        password: Unlocks trading; None leaves that to who runs OpenD.
        trade_env: Real accounts or paper trading.
        rsa_key_file: OpenD's private key; empty if it does not encrypt.
        read_only: Do not trade: no account is looked at.
    """

    environment: Environment
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    market: str = "HK"
    account: str = ""
    password: Secret | None = None
    trade_env: TradeEnv = TradeEnv.SIMULATE
    rsa_key_file: str = ""
    read_only: bool = False

    @property
    def endpoint(self) -> str:
        """Host and port, fit to be shown."""
        return f"{self.host}:{self.port}"

    @property
    def account_key(self) -> str:
        """Names the account's journal, the account as a hash; empty if it is not traded.

        Each simulated OpenD has its own accounts; an account without a number is known by its
        place, market and kind.
        """
        if self.read_only:
            return ""
        known = self.account and self.environment is not Environment.SIMULATED
        place = "" if known else f"{self.endpoint}/{self.market}/{self.trade_env.name}"
        digest = hashlib.sha256(f"{place}/{self.account}".encode()).hexdigest()[:12]
        return f"futu-{self.environment.value}-{digest}"

    @classmethod
    def parse(cls, setting: Setting) -> FutuSettings:
        """Validate what a user gave to `connect`.

        Raises:
            ConfigurationError: Names the field and what is allowed.
            CredentialError: The trade password cannot be had.
        """
        fields = ConnectFields(setting, FIELDS)
        environment = fields.environment(ENVIRONMENTS)
        market = fields.text("market").upper() or MARKETS[0]
        if market not in MARKETS:
            raise wrong("market", f"must be one of: {', '.join(MARKETS)}")
        rsa_key_file = _rsa_key_file(fields)
        return cls(
            environment,
            _host(fields, environment, rsa_key_file),
            fields.number("port", DEFAULT_PORT, lowest=1, highest=HIGHEST_PORT),
            market,
            _account(fields),
            fields.secret("password"),
            _trade_env(fields, environment),
            rsa_key_file,
            fields.flag("read_only"),
        )


def _host(fields: ConnectFields, environment: Environment, rsa_key_file: str) -> str:
    host = fields.host(environment, "OpenD")
    if ":" in host:
        raise wrong("host", "must be a name or an IPv4 address, as the SDK knows no other")
    if not is_loopback(host) and not rsa_key_file:
        raise wrong("rsa_key_file", "is missing; OpenD on another machine is spoken to encrypted")
    return host


def _account(fields: ConnectFields) -> str:
    """An account's number; it has more digits than a desktop's number can hold, so text is best."""
    value = fields.scalar("account")
    text = "" if value is None else str(value).strip()
    digits = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ACCOUNT
    if isinstance(value, bool | float) or (text and not digits):
        raise wrong("account", "must be the number of an account (accID)")
    return text


def _trade_env(fields: ConnectFields, environment: Environment) -> TradeEnv:
    text, usual = fields.text("trade_env").upper(), TRADED[environment]
    if not text:
        return usual
    if text not in TradeEnv.__members__:
        raise wrong("trade_env", "must be real or simulate")
    chosen = TradeEnv[text]
    if environment is not Environment.SIMULATED and chosen is not usual:
        problem = f"is {chosen.name.lower()}, but environment {environment.value} trades the other"
        raise wrong("trade_env", problem)
    return chosen


def _rsa_key_file(fields: ConnectFields) -> str:
    text = fields.text("rsa_key_file")
    if text and not Path(text).is_absolute():
        raise wrong("rsa_key_file", "must be an absolute path")
    return text
