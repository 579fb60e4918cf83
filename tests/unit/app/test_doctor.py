"""The doctor finds what is wrong, and says how to mend it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from foxtrot.adapter.ib import sdk
from foxtrot.app import doctor


def test_a_healthy_machine_has_no_advice() -> None:
    """Everything that the tests stand on is there: each venue is named with its SDK."""
    findings = {finding.subject: finding for finding in doctor.examine()}
    told = {"foxtrot", "Python", "data directory", "disk", "limits", "binance", "ib", "futu"}
    assert told <= set(findings)
    assert [finding for finding in findings.values() if finding.advice] == []
    assert "ccxt" in findings["binance"].found


def test_two_packages_of_one_name_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both SDKs of Interactive Brokers were installed: the advice is a command."""
    monkeypatch.setattr(sdk, "_version", lambda name: "1.0")
    monkeypatch.setattr(sdk, "_imported", broken)
    sdk.sdk.cache_clear()
    try:
        (finding,) = sdk.examine()
    finally:
        sdk.sdk.cache_clear()
    assert "eventkit and aeventkit are both installed" in finding.advice
    assert "pip uninstall -y eventkit aeventkit" in finding.advice


def test_a_data_directory_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is kept there."""
    monkeypatch.setenv("FOXTROT_DATA_DIR", str(tmp_path / "deep" / "er"))
    monkeypatch.setattr(doctor.os, "access", lambda place, mode: False)
    advice = {finding.subject: finding.advice for finding in doctor.examine()}["data directory"]
    assert advice.startswith(f"{tmp_path} may not be written")


def test_a_full_disk_and_few_descriptors_come_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the journal refuses an order, or a socket cannot be made."""
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: SimpleNamespace(free=1_000))
    monkeypatch.setattr(doctor.resource, "getrlimit", lambda what: (256, 256))
    advice = {finding.subject: finding.advice for finding in doctor.examine()}
    assert "make room" in advice["disk"]
    assert advice["limits"] == "ulimit -n 4096"


def test_settings_are_shown_without_secrets_and_their_venues_are_tried(tmp_path: Path) -> None:
    """What is written in them, and whether anything runs where they say."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    secret = "canary-0123456789abcdef"
    connect = {
        "environment": "simulated",
        "rest_url": f"http://127.0.0.1:{port}/api/v3",
        "websocket_url": f"ws://127.0.0.1:{port}",
        "api_key": f"{secret}-key",
        "secret": secret,
    }
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"venues": {"B": {"adapter": "binance", "connect": connect}}}))
    findings = {finding.subject: finding for finding in doctor.examine(file)}
    assert f"B: SIMULATED, 127.0.0.1:{port}" in findings["settings"].found
    assert "venues.B.connect" in findings["B: reachable"].advice
    assert secret not in str(findings)


def test_settings_that_are_wrong_are_a_finding(tmp_path: Path) -> None:
    """The doctor goes on to the end, and says what to mend."""
    file = tmp_path / "settings.json"
    file.write_text('{"websocket.enabled": 1}')
    *_, last = doctor.examine(file)
    assert last.subject == "settings"
    assert "websocket.enabled" in last.advice


def broken() -> sdk.Sdk:
    """An SDK whose eventkit is half another's."""
    raise ImportError("cannot import name 'Event' from 'eventkit'")
