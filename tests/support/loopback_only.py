"""Tests reach this machine alone: a wrong address is an error, never somebody's venue."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

ALLOWED = "FOXTROT_LIVE"
"""Who sets this variable wants the tests of `tests/live`, which talk to testnets."""


@contextmanager
def loopback_only() -> Iterator[None]:
    """Refuse to connect a socket to another machine."""
    if os.environ.get(ALLOWED):
        yield
        return
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def checked(self: socket.socket, address: Any) -> None:  # a family has its own addresses
        _check(self, address)
        connect(self, address)

    def checked_ex(self: socket.socket, address: Any) -> int:  # as above
        _check(self, address)
        return connect_ex(self, address)

    with (
        mock.patch.object(socket.socket, "connect", checked),
        mock.patch.object(socket.socket, "connect_ex", checked_ex),
    ):
        yield


def _check(connecting: socket.socket, address: Any) -> None:
    if connecting.family not in (socket.AF_INET, socket.AF_INET6):
        return
    if connecting.type == socket.SOCK_DGRAM:
        return  # such as a name that is looked up; no venue is spoken to so
    host = str(address[0])
    if host != "localhost" and not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        raise PermissionError(f"a test may not connect to {host}")
