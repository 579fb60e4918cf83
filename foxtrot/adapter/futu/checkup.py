"""What this machine has of what Futu needs: the SDK, a place for its log, an OpenD."""

from __future__ import annotations

import importlib.metadata
import socket

from foxtrot.adapter.futu.sdk import FASTER, log_place, sdk, slow_protobuf
from foxtrot.adapter.futu.settings import DEFAULT_PORT
from foxtrot.errors import ConfigurationError
from foxtrot.model.health import Finding

_ADDRESS = ("127.0.0.1", DEFAULT_PORT)
_CONNECT_S = 1.0


def examine() -> tuple[Finding, ...]:
    """Import the SDK once, compare what is relied on, and look whether an OpenD listens here."""
    return _sdk(), _opend()


def _sdk() -> Finding:
    found = ", ".join(f"{name} {_version(name)}" for name in ("futu-api", "protobuf"))
    try:
        sdk()
        place = log_place()
    except ConfigurationError as error:
        return Finding("futu", found, error.problem)
    advice = FASTER if slow_protobuf() else ""
    return Finding("futu", f"{found}; its log is kept in {place}", advice)


def _opend() -> Finding:
    """Whether one listens at the usual port; it may well be on another machine, so no advice."""
    where = f"{_ADDRESS[0]}:{_ADDRESS[1]}"
    try:
        socket.create_connection(_ADDRESS, _CONNECT_S).close()
    except OSError:
        return Finding("futu: OpenD", f"none at {where}, its usual place; needed for real data")
    return Finding("futu: OpenD", f"something listens at {where}; `foxtrot futu status` asks it")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
