"""The doctor's look at Futu: what is there, and what to install or to mend."""

from __future__ import annotations

import socket

import pytest

from foxtrot.adapter.futu import checkup
from foxtrot.errors import ConfigurationError


def test_a_healthy_sdk_is_named_with_its_log() -> None:
    """Version of the SDK and of protobuf, and where the log went that the SDK would put at home."""
    sdk, _ = checkup.examine()
    assert sdk.advice == ""
    assert "futu-api 10." in sdk.found
    assert "protobuf" in sdk.found
    assert sdk.found.endswith("futu"), "its log"


def test_an_sdk_that_cannot_be_used_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not installed, or another one than expected: what `sdk` says of it is the advice."""

    def refused() -> object:
        raise ConfigurationError("futu", "", "not installed: futu-api; pip install futu-api")

    monkeypatch.setattr(checkup, "sdk", refused)
    monkeypatch.setattr(checkup, "_version", lambda name: "missing")
    sdk, _ = checkup.examine()
    assert sdk.found == "futu-api missing, protobuf missing"
    assert sdk.advice == "not installed: futu-api; pip install futu-api"


def test_a_slow_protobuf_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It works without its fast part, so it is easily overlooked."""
    monkeypatch.setattr(checkup, "slow_protobuf", lambda: True)
    assert "pip install --upgrade protobuf" in checkup.examine()[0].advice


def test_an_opend_on_this_machine_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something listens at the usual port, or nothing does; neither is an illness."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(checkup, "_ADDRESS", server.getsockname())
        _, there = checkup.examine()
    _, gone = checkup.examine()
    assert there.found.startswith("something listens at 127.0.0.1:")
    assert gone.found.startswith("none at 127.0.0.1:")
    assert (there.advice, gone.advice) == ("", "")
