"""Hot reload with real files: whatever happens to the file, the watch goes on."""

# ruff: noqa: ASYNC240 - the files are tiny and the point of the test

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from foxtrot.core import strict_json
from foxtrot.core.bridge import AsyncThreadBridge
from foxtrot.core.settings import Changes, Settings
from foxtrot.core.settings_watch import SettingsWatcher
from foxtrot.errors import ConfigurationError

TIMEOUT_S = 15


class _Owner:
    """Takes what the watcher hands on; every wait has a deadline."""

    def __init__(self) -> None:
        self.changes: asyncio.Queue[tuple[Settings, Changes]] = asyncio.Queue()
        self.errors: asyncio.Queue[str] = asyncio.Queue()

    def on_change(self, settings: Settings, difference: Changes) -> None:
        self.changes.put_nowait((settings, difference))

    def on_error(self, error: ConfigurationError) -> None:
        self.errors.put_nowait(error.problem)

    async def change(self) -> tuple[Settings, Changes]:
        return await asyncio.wait_for(self.changes.get(), TIMEOUT_S)

    async def error(self) -> str:
        return await asyncio.wait_for(self.errors.get(), TIMEOUT_S)


@asynccontextmanager
async def _watching(path: Path, owner: _Owner) -> AsyncIterator[SettingsWatcher]:
    current = Settings.load(path)
    watcher = SettingsWatcher(path, owner.on_change, owner.on_error, current=current)
    task = asyncio.create_task(watcher.watch())
    try:
        yield watcher
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=TIMEOUT_S)
        assert task.cancelled()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "settings.json"
    file.write_text("{}")
    return file


def _polling(seconds: float) -> str:
    return json.dumps({"polling.interval": seconds})


async def test_a_change_is_handed_on(path: Path) -> None:
    """The owner gets the new settings and the keys that differ."""
    owner = _Owner()
    async with _watching(path, owner) as watcher:
        path.write_text(_polling(2))
        settings, difference = await owner.change()
        assert watcher.current is settings
        assert repr(watcher) == f"<SettingsWatcher {path} GOOD>"
    assert settings.flags.polling_interval == 2.0
    assert difference == Changes(applied=("polling.interval",))


async def test_a_change_before_the_watch_began_is_found(path: Path) -> None:
    """Nothing is lost between loading the settings and watching them."""
    owner = _Owner()
    current = Settings.load(path)
    path.write_text(_polling(2))
    watcher = SettingsWatcher(path, owner.on_change, owner.on_error, current=current)
    task = asyncio.create_task(watcher.watch())
    settings, _ = await owner.change()
    task.cancel()
    await asyncio.wait([task], timeout=TIMEOUT_S)
    assert settings.flags.polling_interval == 2.0


async def test_an_editor_may_replace_the_file(path: Path) -> None:
    """A new file in the old one's place is followed, again and again."""
    owner = _Owner()
    async with _watching(path, owner):
        for seconds in (2.0, 3.0, 4.0):
            draft = path.with_suffix(".tmp")
            draft.write_text(_polling(seconds))
            os.replace(draft, path)
            settings, _ = await owner.change()
            assert settings.flags.polling_interval == seconds


async def _until_watched(path: Path, owner: _Owner) -> None:
    # The first write may come before the watch is set up: then another one is needed.
    for attempt in range(TIMEOUT_S):
        path.write_text(_polling(10 + attempt))
        try:
            await asyncio.wait_for(owner.changes.get(), 1)
        except TimeoutError:
            continue
        return
    raise AssertionError("the watch was never set up")


async def test_a_trouble_that_stays_is_told_once(path: Path) -> None:
    """Looking again at a missing file, or at the same mistake, is no news."""
    owner = _Owner()
    watcher = SettingsWatcher(path, owner.on_change, owner.on_error, current=Settings())
    path.unlink()
    for content in (None, "[]", "[ ]"):
        if content:
            path.write_text(content)
        await watcher._look()
        await watcher._look()
    assert await owner.error() == "the file does not exist"
    assert await owner.error() == "must be a JSON object, not a list"
    assert owner.errors.empty()


async def test_a_link_may_be_turned_to_another_file(path: Path, tmp_path: Path) -> None:
    """Deployments that swap a symbolic link are followed."""
    link = tmp_path / "linked.json"
    link.symlink_to(path)
    other = tmp_path / "other.json"
    other.write_text(_polling(2))
    owner = _Owner()
    async with _watching(link, owner):
        swap = tmp_path / "swap"
        swap.symlink_to(other)
        os.replace(swap, link)
        settings, _ = await owner.change()
    assert settings.flags.polling_interval == 2.0


async def test_a_half_written_file_is_reported_and_the_old_settings_stay(path: Path) -> None:
    """A mistake is told once; when the file is good again it counts."""
    owner = _Owner()
    async with _watching(path, owner) as watcher:
        before = watcher.current
        path.write_text(_polling(2)[:-1])
        assert (await owner.error()).startswith("is not valid JSON")
        assert watcher.current is before
        assert repr(watcher) == f"<SettingsWatcher {path} FAULTY>"
        path.write_text(_polling(2))
        settings, _ = await owner.change()
    assert settings.flags.polling_interval == 2.0
    assert owner.errors.empty()


async def test_a_deleted_file_may_come_back(path: Path) -> None:
    """Deletion is reported, the old settings stay, and the new file counts."""
    owner = _Owner()
    async with _watching(path, owner) as watcher:
        path.unlink()
        assert await owner.error() == "the file does not exist"
        assert watcher.current == Settings()
        path.write_text(_polling(2))
        settings, _ = await owner.change()
    assert settings.flags.polling_interval == 2.0


async def test_a_deleted_directory_may_come_back(tmp_path: Path) -> None:
    """Even the directory may be made anew."""
    path = tmp_path / "config" / "settings.json"
    path.parent.mkdir()
    path.write_text("{}")
    owner = _Owner()
    async with _watching(path, owner):
        path.unlink()
        path.parent.rmdir()
        assert await owner.error() == "the file does not exist"
        path.parent.mkdir()
        path.write_text(_polling(2))
        settings, _ = await owner.change()
    assert settings.flags.polling_interval == 2.0


async def test_a_change_that_changes_nothing_is_not_handed_on(path: Path) -> None:
    """Spaces and written-out defaults disturb nobody."""
    owner = _Owner()
    async with _watching(path, owner):
        path.write_text(_polling(1.0))
        path.write_text('{ "polling.interval": 1 }')
        path.write_text(_polling(2))
        _, difference = await owner.change()
    assert difference.applied == ("polling.interval",)
    assert owner.changes.empty()


async def test_a_failing_callback_does_not_end_the_watch(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner's mistake is logged; the next change is handed on."""
    owner = _Owner()
    real = owner.on_change

    def fail_first(settings: Settings, difference: Changes) -> None:
        real(settings, difference)
        if settings.flags.polling_interval == 2.0:
            raise RuntimeError("owner's mistake")

    owner.on_change = fail_first  # type: ignore[method-assign]
    async with _watching(path, owner):
        path.write_text(_polling(2))
        await owner.change()
        path.write_text(_polling(3))
        settings, _ = await owner.change()
    assert settings.flags.polling_interval == 3.0
    assert "settings_callback_failed" in caplog.text


async def test_without_settings_the_file_as_found_is_the_start(path: Path) -> None:
    """The first look sets the base; only what differs from it is handed on."""
    path.write_text("no JSON yet")
    owner = _Owner()
    watcher = SettingsWatcher(path, owner.on_change, owner.on_error)
    task = asyncio.create_task(watcher.watch())
    await owner.error()
    path.write_text(json.dumps({"polling.interval": 2, "zzz": 1}))
    await owner.error()
    path.write_text(_polling(2))
    path.write_text(_polling(2))
    task.cancel()
    await asyncio.wait([task], timeout=TIMEOUT_S)
    assert owner.changes.empty()


def test_the_watch_leaves_no_thread(path: Path) -> None:
    """After the loop has ended nothing of the watch runs on."""
    before = set(threading.enumerate())

    async def main() -> None:
        owner = _Owner()
        async with _watching(path, owner):
            path.write_text(_polling(2))
            await owner.change()

    asyncio.run(main())
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(TIMEOUT_S)
    assert not any(thread.is_alive() for thread in left)


def test_a_disk_that_hangs_holds_up_no_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that does not return keeps neither the bridge from stopping nor the process alive."""
    reading, go = threading.Event(), threading.Event()
    owner = _Owner()
    watcher = SettingsWatcher(path, owner.on_change, owner.on_error)

    def hang(path: Path) -> bytes:
        reading.set()
        go.wait(TIMEOUT_S)
        return b"{}"

    monkeypatch.setattr(strict_json, "read", hang)
    bridge = AsyncThreadBridge("test-bridge")
    bridge.start()
    try:
        bridge.submit(watcher.watch(), name="settings.watch")
        assert reading.wait(TIMEOUT_S)
        bridge.stop(timeout=2.0)
        assert not [t for t in threading.enumerate() if t.name.startswith("test-bridge")]
    finally:
        go.set()
        bridge.stop()


async def test_a_look_for_which_there_is_no_thread_is_survived(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine out of threads is told once; the watch goes on when it has some again."""
    owner, start = _Owner(), threading.Thread.start

    def exhausted(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", exhausted)
    async with _watching(path, owner):
        assert await owner.error() == "cannot be looked at now: can't start new thread"
        monkeypatch.setattr(threading.Thread, "start", start)
        path.write_text(_polling(2))
        _, difference = await owner.change()
    assert difference == Changes(applied=("polling.interval",))


async def test_a_shortage_of_threads_that_is_over_is_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is as good as before, so the watch says so; the next shortage is told anew."""
    owner = _Owner()
    watcher = SettingsWatcher(path, owner.on_change, owner.on_error, current=Settings.load(path))

    def exhausted(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    await watcher._look()
    for told in (1, 2):
        with monkeypatch.context() as machine:
            machine.setattr(threading.Thread, "start", exhausted)
            await watcher._look()
        assert owner.errors.qsize() == told
        await watcher._look()
        assert repr(watcher) == f"<SettingsWatcher {path} GOOD>"
