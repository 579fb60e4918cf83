"""The progress of roll-outs on the disk: one file for each adapter and what it talks to.

What was validated at a simulated venue is none of the live one's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from foxtrot.connectivity.rollout import Progress, Stage
from foxtrot.core.directories import data_directory, file_name, write_private
from foxtrot.core.logs import get_logger
from foxtrot.core.redaction import scrub
from foxtrot.core.settings import FeatureFlags
from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Environment

KEEP_EVERY_S: Final = 60.0
"""How often the time in which a stage proves itself is kept: so much is lost at a restart."""
_LARGEST: Final = 64 * 1024

log = get_logger("foxtrot.rollout")


@dataclass(slots=True)
class _Slot:
    environment: Environment
    written: Progress | None = None
    failing: bool = False


class Shelf:
    """Where the roll-outs of an engine are kept, once it is known what each adapter talks to.

    A place that cannot be written is told in the log, and keeps nobody from going on.

    Thread safety: for one thread at a time.

    Args:
        flags_of: What the settings say of an adapter.
    """

    def __init__(self, flags_of: Callable[[str], FeatureFlags]) -> None:
        self._flags_of = flags_of
        self._slots: dict[str, _Slot] = {}

    def environment(self, name: str) -> Environment | None:
        """Of which environment the progress of an adapter is kept; None of none yet."""
        slot = self._slots.get(name)
        return slot.environment if slot is not None else None

    def recall(self, name: str, environment: Environment) -> Progress | None:
        """What an earlier process has reached there, from now on to be kept.

        None if that is nothing, or a person has changed `rollout.begin` since then.
        """
        slot = self._slots[name] = _Slot(environment)
        flags = self._flags_of(name)
        try:
            slot.written = _read(path_of(flags, name, environment))
        except (OSError, ConfigurationError) as error:
            _fail(name, slot, error)
            return Progress(Stage.POLLING, reason="what was reached cannot be read")
        kept = slot.written
        return kept if kept and kept.begin in (None, Stage(flags.rollout_begin)) else None

    def keep(self, reached: Mapping[str, Progress]) -> None:
        """Write what is new, and remove what is not rolled out any more."""
        for name, slot in list(self._slots.items()):
            flags, progress = self._flags_of(name), reached.get(name)
            try:
                path = path_of(flags, name, slot.environment)
                if progress is None or not flags.rollout_enabled:
                    del self._slots[name]
                    path.unlink(missing_ok=True)
                elif _is_worth_it(slot.written, progress):
                    _write(path, progress)
                    slot.written, slot.failing = progress, False
            except (OSError, ConfigurationError) as error:
                _fail(name, slot, error)


def path_of(flags: FeatureFlags, adapter_name: str, environment: Environment) -> Path:
    """Where it is: beside the order journals.

    Raises:
        ConfigurationError: FOXTROT_DATA_DIR names no place.
    """
    place = Path(flags.journal_directory) if flags.journal_directory else data_directory()
    name = file_name(adapter_name.lower(), "adapter")
    return place / "rollout" / f"{name}-{environment.value}.json"


def _read(path: Path) -> Progress | None:
    """What an earlier process had reached; None if there was none.

    A damaged file is set aside, and polling it is: nobody knows whether it was rolled back.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as source:
            data = source.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(data, type=Progress)
    except (msgspec.DecodeError, UnicodeDecodeError):
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        log.warning("rollout_damaged", path=str(path), kept_as=str(aside))
        return Progress(Stage.POLLING, reason="its file was damaged and is set aside")


def _write(path: Path, progress: Progress) -> None:
    """Keep it.

    Raises:
        OSError: It cannot be written; what was kept is as it was.
    """
    write_private(path, msgspec.json.format(msgspec.json.encode(progress), indent=1) + b"\n")


def _is_worth_it(written: Progress | None, progress: Progress) -> bool:
    if written is None:
        return True
    if msgspec.structs.replace(written, elapsed_s=progress.elapsed_s) != progress:
        return True
    goes_on = not (progress.pinned or progress.rolled_back or progress.validated)
    return goes_on and abs(progress.elapsed_s - written.elapsed_s) >= KEEP_EVERY_S


def _fail(name: str, slot: _Slot, error: OSError | ConfigurationError) -> None:
    if not slot.failing:
        slot.failing = True
        log.warning("rollout_not_kept", venue=name, reason=scrub(str(error)))
