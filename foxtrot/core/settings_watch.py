"""Reloads the settings file when it changes.

Thread safety: `watch` runs on one event loop, and the callbacks run there too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from foxtrot.core import strict_json
from foxtrot.core.aside import aside
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import scrub
from foxtrot.core.settings import Changes, Settings, changes
from foxtrot.errors import ConfigurationError

log = get_logger("foxtrot.settings")

LOOK_EVERY_S: Final = 0.5
"""Looking beats being told: not every file system tells, and a directory may be replaced."""


class SettingsWatcher:
    """Watches one settings file and hands on what changed.

    Args:
        path: The settings file.
        on_change: Gets the new settings and what differs; not called if nothing does.
        on_error: Gets what is wrong with a new content, once; the old settings stay in force.
        current: The settings in force; what the file holds when the watch begins, if None.
    """

    def __init__(
        self,
        path: str | Path,
        on_change: Callable[[Settings, Changes], None],
        on_error: Callable[[ConfigurationError], None],
        *,
        current: Settings | None = None,
    ) -> None:
        self._path = Path(path).absolute()
        self._where = scrub(str(path))
        self._on_change, self._on_error = on_change, on_error
        self._current = current
        self._seen = b""
        self._problem = ""

    @property
    def current(self) -> Settings | None:
        """The newest settings that were good."""
        return self._current

    def __repr__(self) -> str:
        return f"<SettingsWatcher {self._where} {'FAULTY' if self._problem else 'GOOD'}>"

    async def watch(self) -> None:
        """Run until cancelled; everything that happens to the file is survived."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        try:
            fresh = await aside(self._read, "settings")
        except ConfigurationError as error:
            self._fail(error)
            return
        except RuntimeError as error:  # there is no thread to be had
            self._seen = b""  # so that the next look tells that it is over
            self._fail(ConfigurationError(self._where, "", f"cannot be looked at now: {error}"))
            return
        if fresh is not None:
            self._take(fresh)

    def _read(self) -> Settings | None:
        """Return the settings if the file's content is new; on a thread that a disk may keep."""
        try:
            data = strict_json.read(self._path)
        except ConfigurationError as error:
            self._seen = b""
            raise ConfigurationError(self._where, error.field, error.problem) from None
        digest = hashlib.sha256(data).digest()
        if digest == self._seen:
            return None
        self._seen = digest
        return Settings.parse(data, self._where)

    def _fail(self, error: ConfigurationError) -> None:
        if str(error) == self._problem:
            return
        self._problem = str(error)
        log.warning("settings_refused", where=error.where, field=error.field, problem=error.problem)
        self._call(lambda: self._on_error(error))

    def _take(self, fresh: Settings) -> None:
        repaired, self._problem = bool(self._problem), ""
        before, self._current = self._current, fresh
        if before is None:
            return
        difference = changes(before, fresh)
        if difference:
            log.info(
                "settings_changed",
                applied=difference.applied,
                needs_restart=difference.needs_restart,
            )
            self._call(lambda: self._on_change(fresh, difference))
        elif repaired:
            log.info("settings_repaired", where=self._where)

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:  # boundary: the owner's callback must not end the watch
            log.exception("settings_callback_failed", where=self._where)
