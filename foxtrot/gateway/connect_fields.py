"""What a user gave to `connect`, read field by field, in one way for every venue."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from foxtrot.core.credentials import Secret, resolve
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Environment

Scalar = str | int | float | bool | None
Setting = Mapping[str, Scalar | list[str]]
"""What `connect` takes; a list is a desktop's choice, whose first entry is the default."""

WHERE = "connect"
LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65_535
_FLAGS = {True: True, False: False, "true": True, "false": False, "": False}
_LONGEST_NUMBER = 10


class ConnectFields:
    """The fields of one `connect`. A desktop's form gives numbers and flags as text, too.

    Args:
        setting: What the user gave.
        known: All fields that the venue has.

    Raises:
        ConfigurationError: A field is not known, or it is no mapping.
    """

    def __init__(self, setting: Setting, known: Sequence[str]) -> None:
        if not isinstance(setting, Mapping):
            raise wrong("", f"takes fields and their values, not {type(setting).__name__}")
        self._setting = setting
        for field in setting:
            if field not in known:
                raise wrong(field, f"is not known; allowed: {', '.join(known)}")

    def scalar(self, field: str) -> Scalar:
        """The value as it was given; an empty text if it was not."""
        value = self._setting.get(field, "")
        if isinstance(value, list):
            return value[0] if value else ""
        return value

    def text(self, field: str) -> str:
        """A text without white space around it; empty if it was not given.

        Raises:
            ConfigurationError: It is something else.
        """
        value = self.scalar(field)
        if not isinstance(value, str):
            raise wrong(field, f"must be text, was {type(value).__name__}")
        return value.strip()

    def number(self, field: str, default: int, *, lowest: int, highest: int) -> int:
        """A whole number.

        Raises:
            ConfigurationError: It is none, or out of bounds.
        """
        value = self.scalar(field)
        if value is None or value == "":
            return default
        text = str(value).strip()
        whole = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
        if isinstance(value, bool | float) or not whole or not lowest <= int(text) <= highest:
            raise wrong(field, f"must be a whole number from {lowest} to {highest}")
        return int(text)

    def flag(self, field: str) -> bool:
        """A yes or no; no if it was not given.

        Raises:
            ConfigurationError: It is neither.
        """
        value = self.scalar(field)
        key = value.strip().lower() if isinstance(value, str) else value
        if isinstance(key, bool | str) and key in _FLAGS:
            return _FLAGS[key]
        raise wrong(field, "must be true or false")

    def secret(self, field: str) -> Secret | None:
        """What the reference names; None if there is none.

        Raises:
            CredentialError: It cannot be had.
        """
        reference = self.text(field)
        return resolve(reference, where=WHERE, field=field) if reference else None

    def environment(self, allowed: Sequence[Environment]) -> Environment:
        """The environment, which has no default: nobody trades live by an omission.

        Raises:
            ConfigurationError: It is missing, or not one of the venue's.
        """
        names = ", ".join(each.value for each in allowed)
        text = self.text("environment").lower()
        if not text:
            raise wrong("environment", f"is missing; choose one of: {names}")
        for each in allowed:
            if text == each.value:
                return each
        raise wrong("environment", f"is not one of: {names}")

    def host(self, environment: Environment, program: str) -> str:
        """Where a venue's program runs that is spoken to without TLS: here, unless allowed.

        Args:
            environment: A simulated one is always on this machine.
            program: Its name, for the error.

        Raises:
            ConfigurationError: It is no host, or another machine without `allow_remote`.
        """
        host, allowed = self.text("host") or LOOPBACK, self.flag("allow_remote")
        if not host.isprintable() or any(each in host for each in " /@"):
            raise wrong("host", "must be a host name or an address, without a scheme or a port")
        if is_loopback(host):
            return host
        if environment is Environment.SIMULATED:
            raise wrong("host", "must be an address of this machine while environment is simulated")
        if not allowed:
            problem = f"is another machine, and what {program} is told can be read on the way"
            raise wrong("host", f"{problem}; run it here, tunnel to it, or set allow_remote")
        return host


def wrong(field: str, problem: str) -> ConfigurationError:
    """The error about a field of `connect`."""
    return ConfigurationError(WHERE, field, problem)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is certainly this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
