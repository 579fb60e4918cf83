"""The doctor finds what is wrong, and says how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot.adapter.ib import sdk
from foxtrot.app import doctor


def test_a_healthy_machine_has_no_advice() -> None:
    """Everything that the tests stand on is there: each venue is named with its SDK."""
    findings = {finding.subject: finding for finding in doctor.examine()}
    assert {"foxtrot", "Python", "data directory", "binance", "ib", "futu"} <= set(findings)
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


def broken() -> sdk.Sdk:
    """An SDK whose eventkit is half another's."""
    raise ImportError("cannot import name 'Event' from 'eventkit'")
