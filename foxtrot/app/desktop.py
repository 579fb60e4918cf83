"""`foxtrot desktop`: vnpy's main window with foxtrot's venues."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from foxtrot.app.program import tune
from foxtrot.app.stages import STAGES
from foxtrot.app.stop import on_signals
from foxtrot.app.switch import switch
from foxtrot.app.venues import contract_of, requests, setting
from foxtrot.core import logs
from foxtrot.core.directories import data_directory, make_private
from foxtrot.core.settings import Settings
from foxtrot.errors import ConfigurationError, InvalidState
from foxtrot.gateway.registry import adapter_class, adapter_names

if TYPE_CHECKING:
    from foxtrot.desktop.host import GivenSettings, Host
    from foxtrot.desktop.window import DesktopVenue
    from foxtrot.engine.main_engine import MainEngine

NEEDED = ("vnpy", "talib", "loguru", "PySide6", "qdarkstyle")

LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
"""What Qt needs of the system, with Debian's name of it."""

X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""The same for a window on an X server."""


def run(*, simulated: bool, config: Path | None, seconds: float | None) -> int:
    """Open the desktop; returns its exit code when it is closed.

    Args:
        simulated: With all venues that can be simulated here, connected, and their symbols.
        config: With the venues of a settings file, connected; all installed ones if it has none.
        seconds: Close by itself after so long.

    Raises:
        ConfigurationError: The extra is not installed, there is no screen, or the settings are
            wrong.
    """
    if simulated and config is not None:
        raise ConfigurationError("command line", "--simulated", "does not go with --config")
    _check_installed()
    _check_screen()
    _choose_language()
    if simulated:
        _keep_apart()
    logs.configure(level="WARNING")
    tune()
    with ExitStack() as stack:
        if simulated:
            venues, settings = _simulated(stack)
        elif config is not None:
            venues, settings = _of_settings(config.resolve())  # vnpy changes the directory
        else:
            venues, settings = _installed(), None
        from foxtrot.desktop.window import TITLE, show

        title = f"{TITLE}, SIMULATED venues" if simulated else TITLE
        brake = Brake()
        stack.enter_context(switch(brake))
        return show(venues, settings, seconds, begun=brake.begin, title=title)


def _check_installed() -> None:
    missing = [each for each in NEEDED if find_spec(each) is None]
    if missing:
        problem = f"{', '.join(missing)} is not installed; run: pip install 'vnpy>=4.5'"
        raise ConfigurationError("desktop", "", problem)


def _check_screen() -> None:
    """Say what is missing; Qt itself would abort the process, with a dump."""
    if sys.platform != "linux":
        return
    environment = os.environ
    platform, x11 = environment.get("QT_QPA_PLATFORM", ""), environment.get("DISPLAY", "")
    wayland = environment.get("WAYLAND_DISPLAY", "")
    if not (platform or x11 or wayland):
        problem = "there is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set"
        raise ConfigurationError("desktop", "", f"{problem}; QT_QPA_PLATFORM=offscreen needs none")
    on_x11 = platform.startswith("xcb") or (not platform and not wayland)
    needed = LIBRARIES | X11_LIBRARIES if on_x11 else LIBRARIES
    if missing := [name for name in needed if not _loads(name)]:
        packages = " ".join(needed[name] for name in missing)
        problem = f"Qt lacks {', '.join(missing)}; on Debian: apt install {packages}"
        raise ConfigurationError("desktop", "", problem)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _choose_language() -> None:
    """English, unless the user's language is Chinese, which vnpy speaks by itself."""
    variables = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((os.environ[each] for each in variables if os.environ.get(each)), "")
    if not chosen.startswith("zh"):
        os.environ["LANGUAGE"] = "en"


def _keep_apart() -> None:
    """Let vnpy keep the files of a simulated desktop in a place of their own.

    It would connect by the saved forms of the real one, and load its strategies.
    """
    home = data_directory() / "desktop-simulated"
    kept = home / ".vntrader"  # which vnpy prefers to the one of the user's home
    try:
        make_private(kept)
        for form in kept.glob("connect_*.json"):
            form.unlink()  # it names the ports of an earlier simulation
        os.chdir(home)
    except OSError as error:
        raise ConfigurationError("desktop", "", f"{home}: {error.strerror}") from error


def _simulated(stack: ExitStack) -> tuple[list[DesktopVenue], GivenSettings]:
    from foxtrot.desktop.window import DesktopVenue

    folder = Path(stack.enter_context(TemporaryDirectory(prefix="foxtrot-desktop-")))

    def keep(name: str, value: str) -> str:
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(value, encoding="utf-8")
        return f"file:{file}"

    venues = []
    for stage in (kind() for kind in STAGES if not kind.lack()):
        stage.open(stack, stage.symbols, seed=0, rate_hz=10.0)
        adapter = stage.adapter()
        symbols = tuple(contract_of(adapter, each) for each in stage.symbols)
        venues.append(DesktopVenue(stage.name, adapter, stage.to_trade(keep), symbols))
    return venues, {"journal.directory": str(folder)}


def _of_settings(path: Path) -> tuple[list[DesktopVenue], GivenSettings]:
    from foxtrot.core.event_engine import EventEngine
    from foxtrot.desktop.window import DesktopVenue

    venues = []
    for name, entry in Settings.load(path).venues.items():
        kind = adapter_class(entry.adapter, where=f"{path}: venues.{name}")
        wanted = requests(kind(EventEngine(), name), entry)
        symbols = tuple(dict.fromkeys((r.symbol, r.exchange) for r in wanted))  # ticks of each
        venues.append(DesktopVenue(name, kind, setting(entry.connect), symbols))
    return venues or _installed(), path


def _installed() -> list[DesktopVenue]:
    from foxtrot.desktop.window import DesktopVenue

    kinds = [adapter_class(name) for name in adapter_names()]
    return [DesktopVenue(kind.default_name, kind) for kind in kinds]


class Brake:
    """What signals reach of a desktop: its end, and the engine behind its gateways."""

    _host: Host | None = None
    _halted = ""

    def begin(self, end: Callable[[], None], host: Host) -> None:
        """The window is open: `end` closes it, and a halt that came before holds from now on."""
        self._host = host
        on_signals(lambda *_: end())
        if self._halted:
            self.halt(self._halted)

    def halt(self, reason: str) -> None:
        """Block new orders and cancel the open ones."""
        self._halted = reason
        self._do(lambda engine: engine.halt(reason))

    def resume(self) -> None:
        """Let new orders pass again."""
        self._halted = ""
        self._do(lambda engine: engine.resume())

    def _do(self, act: Callable[[MainEngine], None]) -> None:
        with suppress(InvalidState):  # no gateway of ours is open any more
            if self._host is not None:
                act(self._host.engine)
