"""What the process takes of the machine."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from foxtrot.core.process import process_health
from tests.support.events import WAIT_S


def test_the_process_is_told_in_figures() -> None:
    """Memory, processor time, threads by name, and each open descriptor."""
    before = process_health()
    end = threading.Event()
    thread = threading.Thread(target=end.wait, args=(WAIT_S,), name="a-thread-of-mine")
    thread.start()
    read, write = os.pipe()
    try:
        now = process_health()
    finally:
        end.set()
        thread.join()
        os.close(read)
        os.close(write)
    assert "a-thread-of-mine" in now.threads
    assert "a-thread-of-mine" not in before.threads
    assert now.descriptors == before.descriptors + 2
    assert now.memory_bytes > 1_000_000
    assert now.cpu_s >= before.cpu_s > 0
    assert 0 < now.started_ns == before.started_ns


def test_who_starts_a_thread_right_now_holds_nobody_up() -> None:
    """Python's own list of threads is locked meanwhile; ours is not."""
    with ThreadPoolExecutor(1) as other:
        other.submit(process_health).result(WAIT_S)  # its thread is started now
        with threading._active_limbo_lock:  # type: ignore[attr-defined]
            assert other.submit(process_health).result(WAIT_S).threads
