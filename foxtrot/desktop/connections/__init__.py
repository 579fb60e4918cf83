"""The app "Connections": what vnpy cannot show of a venue, and the halt.

main_engine.add_app(ConnectionsApp)
"""

from __future__ import annotations

from pathlib import Path

import vnpy.trader
from vnpy.event import EventEngine
from vnpy.trader.app import BaseApp
from vnpy.trader.engine import BaseEngine, MainEngine

from foxtrot.desktop.host import host_of
from foxtrot.engine.main_engine import MainEngine as FoxtrotEngine
from foxtrot.errors import InvalidState

APP_NAME = "Connections"


class ConnectionsEngine(BaseEngine):  # type: ignore[misc]
    """Finds the foxtrot engine behind the gateways of the desktop."""

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        super().__init__(main_engine, event_engine, APP_NAME)
        self._host = host_of(event_engine)

    @property
    def foxtrot(self) -> FoxtrotEngine | None:
        """The engine; None while no gateway of foxtrot is open."""
        try:
            return self._host.engine
        except InvalidState:
            return None


class ConnectionsApp(BaseApp):  # type: ignore[misc]
    """For `vnpy.trader.engine.MainEngine.add_app`."""

    app_name = APP_NAME
    app_module = __name__
    app_path = Path(__file__).parent
    display_name = "Connections"
    engine_class = ConnectionsEngine
    widget_name = "ConnectionsWidget"
    icon_name = str(Path(vnpy.trader.__file__).parent / "ui" / "ico" / "connect.ico")
