"""Client ids have one owner each, over processes and restarts."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foxtrot.adapter.ib import client_id_file
from foxtrot.adapter.ib.client_ids import IbClientIdRegistry, default_path, leases
from foxtrot.adapter.ib.purpose import Purpose
from foxtrot.errors import ClientIdInUse, ConfigurationError, VenueUnavailable

TWS = "127.0.0.1:7497"
WAIT_S = 20.0

HOLDER = """
import sys
from foxtrot.adapter.ib.client_ids import IbClientIdRegistry
from foxtrot.adapter.ib.purpose import Purpose
ids = IbClientIdRegistry("IB", "127.0.0.1:7497", 1)
print(*[ids.lease(Purpose(name)) for name in sys.argv[1:]], flush=True)
sys.stdin.read()
"""


def registry(trading_id: int = 1, **more: object) -> IbClientIdRegistry:
    return IbClientIdRegistry("IB", TWS, trading_id, **more)


class Holder:
    """Another process, which leases ids and holds them until it is let go or killed."""

    def __init__(self, *purposes: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, *purposes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ids(self) -> list[int]:
        return [int(word) for word in self.process.stdout.readline().split()]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=WAIT_S)


def test_each_purpose_has_its_range_and_trading_its_own_id() -> None:
    """Ids are the lowest of their range; the one that trades is the setting's, always."""
    ids = registry(trading_id=7)
    assert [ids.lease(purpose) for purpose in Purpose] == [7, 100, 200, 300]
    assert ids.lease(Purpose.HISTORY) == 201
    ids.release(200)
    assert ids.lease(Purpose.HISTORY) == 200


def test_the_trading_id_is_leased_once() -> None:
    """A second holder is told that the id is in use; no other one is given instead."""
    ids = registry()
    ids.lease(Purpose.TRADING)
    with pytest.raises(ClientIdInUse, match="client id 1 is in use"):
        registry().lease(Purpose.TRADING)
    ids.release(1)
    assert registry().lease(Purpose.TRADING) == 1


def test_a_trading_id_within_a_range_is_left_alone() -> None:
    """Streams never take the id that orders belong to, even while nobody trades."""
    registry(trading_id=101, account="ib-paper-1").lease(Purpose.TRADING)
    others = registry()
    assert [others.lease(Purpose.STREAMING) for _ in range(2)] == [100, 102]


def test_each_tws_has_its_own_ids() -> None:
    """The ids of one gateway say nothing about another's."""
    assert registry().lease(Purpose.API) == 300
    assert IbClientIdRegistry("IB", "127.0.0.1:4002", 1).lease(Purpose.API) == 300


def test_ranges_may_be_chosen() -> None:
    """A range that is used up is an error that names it."""
    ranges = {
        Purpose.STREAMING: range(10, 12),
        Purpose.HISTORY: range(20, 22),
        Purpose.API: range(30, 31),
    }
    ids = registry(ranges=ranges)
    assert [ids.lease(Purpose.HISTORY) for _ in range(2)] == [20, 21]
    with pytest.raises(VenueUnavailable, match=r"all client ids for history \(20 to 21\)"):
        ids.lease(Purpose.HISTORY)


def test_ranges_that_overlap_are_refused() -> None:
    """Each purpose has ids of its own."""
    ranges = {purpose: range(10, 20) for purpose in Purpose}
    with pytest.raises(ConfigurationError, match="history needs ids of its own, above 0"):
        registry(ranges=ranges)


def test_an_id_that_a_stranger_has_is_not_tried_again_at_once() -> None:
    """TWS says 326 for it: the next lease takes another."""
    ids = registry()
    ids.release(ids.lease(Purpose.HISTORY), in_use=True)
    assert ids.lease(Purpose.HISTORY) == 201


def test_two_processes_at_once_share_no_id() -> None:
    """Each process sees what the other has leased."""
    mine = registry()
    holders = [Holder(*["history"] * 10, "api") for _ in range(2)]
    try:
        own = [mine.lease(Purpose.HISTORY) for _ in range(10)]
        theirs = [client_id for holder in holders for client_id in holder.ids()]
        assert len({*own, *theirs}) == 32
        assert {lease.pid for lease in leases()} == {
            os.getpid(),
            *(holder.process.pid for holder in holders),
        }
    finally:
        for holder in holders:
            holder.kill()


def test_ids_of_a_killed_process_are_free_again() -> None:
    """Nothing is lost for good with a process that could not give back what it had."""
    holder = Holder("trading", "streaming")
    try:
        assert holder.ids() == [1, 100]
        with pytest.raises(ClientIdInUse):
            registry().lease(Purpose.TRADING)
    finally:
        holder.kill()
    ids = registry()
    assert [ids.lease(purpose) for purpose in (Purpose.TRADING, Purpose.STREAMING)] == [1, 100]


def test_a_process_that_got_the_pid_of_a_dead_one_is_not_taken_for_it() -> None:
    """The time when a process began is part of who it is."""
    registry().lease(Purpose.STREAMING)
    path = default_path()
    content = json.loads(path.read_text())
    content["leases"][0]["began"] = "another boot/1"
    path.write_text(json.dumps(content))
    assert registry().lease(Purpose.STREAMING) == 100


def test_threads_share_no_id() -> None:
    """Fifty leases from eight threads are fifty ids."""
    ids = registry()
    with ThreadPoolExecutor(8) as pool:
        leased = list(pool.map(lambda _: ids.lease(Purpose.API), range(50)))
    assert sorted(leased) == list(range(300, 350))


def test_the_file_is_private_and_replaced_whole() -> None:
    """Only this user may read it, and nobody ever sees half of it."""
    registry().lease(Purpose.API)
    path = default_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "client_ids.json",
        "client_ids.lock",
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"leases": [{"pid": -1}]}', b"\xff\xfe"])
def test_a_damaged_file_is_set_aside(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is kept for who wants to look, and ids are leased as from an empty one."""
    path = default_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert registry().lease(Purpose.API) == 300
    assert "client_ids_damaged" in caplog.text
    assert path.with_suffix(".damaged").read_bytes() == content


def test_where_nothing_can_be_written_ids_are_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full or broken disk stops no market data, and what was leased is not forgotten."""
    path = tmp_path / "ib" / "ids.json"
    ids = registry(path=path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(client_id_file, "write", full)
        assert [ids.lease(Purpose.STREAMING) for _ in range(2)] == [100, 101]
        ids.release(100)
    assert "client_ids_not_kept" in caplog.text
    assert [ids.lease(Purpose.STREAMING) for _ in range(2)] == [100, 102]
    assert [lease.client_id for lease in leases(path)] == [100, 101, 102]


def test_what_was_given_back_while_nothing_could_be_written_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file says for a while that the trading id is leased; its owner knows better."""
    ids = registry()
    ids.lease(Purpose.TRADING)

    def no_descriptor(*_arguments: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(client_id_file, "read", no_descriptor)
        ids.release(1)
        ids.release(ids.lease(Purpose.TRADING))
    assert ids.lease(Purpose.TRADING) == 1
    with pytest.raises(ClientIdInUse):
        ids.lease(Purpose.TRADING)


def test_a_lock_that_is_held_for_long_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that stands still with the lock is not waited for without end."""
    monkeypatch.setattr(client_id_file, "_LOCK_S", 0.0)
    path = tmp_path / "ids.json"
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with client_id_file.locked(path):
            held.set()
            done.wait(WAIT_S)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(WAIT_S)
        assert registry(path=path).lease(Purpose.API) == 300
    finally:
        done.set()
        thread.join(WAIT_S)
    assert "another process holds the lock" in caplog.text


def test_another_trading_id_for_the_same_account_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Orders of the old id cannot be changed under the new one: the log says so, once."""
    old = registry(trading_id=1, account="ib-live-0123")
    old.release(old.lease(Purpose.TRADING))
    for _ in range(2):
        new = registry(trading_id=2, account="ib-live-0123")
        new.release(new.lease(Purpose.TRADING))
    (record,) = caplog.records
    assert "trading_client_id_changed" in record.getMessage()
    assert "was=1 now=2" in record.getMessage()
