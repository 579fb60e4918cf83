"""What `connect` takes for Futu, validated."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from foxtrot.core.credentials import Secret, resolve
from foxtrot.errors import ConfigurationError
from foxtrot.gateway.base import Setting
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
)

DEFAULT_PORT = 11111
"""OpenD's own. Source: OpenAPI documents, "OpenD, command line"."""

MARKETS = ("HK", "US", "CN")
ENVIRONMENTS = (Environment.SIMULATED, Environment.PAPER, Environment.LIVE)
_WHERE = "connect"
_HIGHEST_PORT = 65_535
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
        for field in setting:
            if field not in FIELDS:
                raise _wrong(field, f"is not known; allowed: {', '.join(FIELDS)}")
        environment = _environment(setting)
        market = _text(setting, "market").upper() or MARKETS[0]
        if market not in MARKETS:
            raise _wrong("market", f"must be one of: {', '.join(MARKETS)}")
        return cls(
            environment,
            _host(setting, environment),
            _port(setting),
            market,
            _account(setting),
            _password(setting),
            _trade_env(setting, environment),
            _rsa_key_file(setting),
            _flag(setting, "read_only"),
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
    if ":" in host:
        raise _wrong("host", "must be a name or an IPv4 address, as the SDK knows no other")
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


def _port(setting: Setting) -> int:
    """A whole number; as text too, since a desktop's form may give it so."""
    value = _scalar(setting, "port")
    if value is None or value == "":
        return DEFAULT_PORT
    text = str(value).strip()
    if isinstance(value, bool | float) or not (text.isascii() and text.isdecimal()):
        raise _wrong("port", f"must be a whole number from 1 to {_HIGHEST_PORT}")
    if len(text) > 5 or not 1 <= int(text) <= _HIGHEST_PORT:
        raise _wrong("port", f"must be a whole number from 1 to {_HIGHEST_PORT}")
    return int(text)


def _account(setting: Setting) -> str:
    """An account's number; it has more digits than a desktop's number can hold, so text is best."""
    value = _scalar(setting, "account")
    text = "" if value is None else str(value).strip()
    digits = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ACCOUNT
    if isinstance(value, bool | float) or (text and not digits):
        raise _wrong("account", "must be the number of an account (accID)")
    return text


def _password(setting: Setting) -> Secret | None:
    reference = _text(setting, "password")
    return resolve(reference, where=_WHERE, field="password") if reference else None


def _trade_env(setting: Setting, environment: Environment) -> TradeEnv:
    text, usual = _text(setting, "trade_env").upper(), TRADED[environment]
    if not text:
        return usual
    if text not in TradeEnv.__members__:
        raise _wrong("trade_env", "must be real or simulate")
    chosen = TradeEnv[text]
    if environment is not Environment.SIMULATED and chosen is not usual:
        problem = f"is {chosen.name.lower()}, but environment {environment.value} trades the other"
        raise _wrong("trade_env", problem)
    return chosen


def _rsa_key_file(setting: Setting) -> str:
    text = _text(setting, "rsa_key_file")
    if text and not Path(text).is_absolute():
        raise _wrong("rsa_key_file", "must be an absolute path")
    return text
