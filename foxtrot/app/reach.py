"""Whether a venue can be reached from here, and whether its clock and ours agree."""

from __future__ import annotations

import datetime as dt
import http.client
import socket
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from foxtrot.gateway.base import BaseAdapter
from foxtrot.model.health import Finding

_WAIT_S = 5.0
_HTTPS = 443
_MOST_SKEW_S = 2.0
"""A head of HTTP tells whole seconds."""


def examine(adapter: BaseAdapter) -> tuple[Finding, ...]:
    """Open a connection to where a configured adapter would connect to, and look at the clock."""
    found = _reached(adapter.adapter_name, adapter.endpoint)
    if found.advice or not adapter.web_address:
        return (found,)
    return found, _clock(adapter.adapter_name, adapter.web_address)


def _reached(name: str, endpoint: str) -> Finding:
    parts = urlsplit(f"//{endpoint}")
    began = time.perf_counter()
    try:
        socket.create_connection((parts.hostname, parts.port or _HTTPS), _WAIT_S).close()
    except OSError as error:
        advice = (
            f"look whether anything runs there, at the network and the firewall, and at "
            f"venues.{name}.connect in the settings"
        )
        return Finding(f"{name}: reachable", f"{endpoint}: {error.strerror or error}", advice)
    took_ms = (time.perf_counter() - began) * 1e3
    return Finding(f"{name}: reachable", f"{endpoint} answers in {took_ms:.0f} ms")


def _clock(name: str, address: str) -> Finding:
    """Compare the clocks, by the date that any answer of HTTP bears; redirects are not followed."""
    subject, parts = f"{name}: clock", urlsplit(address)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_WAIT_S)
    try:
        began = time.time()
        connection.request("HEAD", "/")
        theirs = parsedate_to_datetime(connection.getresponse().headers["Date"])
        ours = dt.datetime.fromtimestamp((began + time.time()) / 2, dt.UTC)
    except (OSError, http.client.HTTPException, TypeError, ValueError) as error:
        return Finding(subject, f"not told: {type(error).__name__}")
    finally:
        connection.close()
    skew_s = (ours - theirs).total_seconds() - 0.5  # half of the second that is cut off
    found = f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} the venue's"
    if abs(skew_s) <= _MOST_SKEW_S:
        return Finding(subject, f"within {_MOST_SKEW_S:g} s of the venue's")
    return Finding(subject, found, "set it by NTP (timedatectl set-ntp true): latencies are wrong")
