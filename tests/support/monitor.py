"""A served engine with a venue that does as it is told, and a client that shows the token."""

from __future__ import annotations

import http.client
from types import TracebackType
from typing import Self

import msgspec

from foxtrot.engine.main_engine import MainEngine
from foxtrot.monitoring.server import MonitorServer
from tests.support.trading_adapter import TradingAdapter

WAIT_S = 10.0


class Reply(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, object]:
        """What a good answer holds."""
        answer = msgspec.json.decode(self.body)
        assert answer["success"], answer
        assert answer["error"] is None
        held = answer["data"]
        assert isinstance(held, dict)
        return held

    @property
    def error(self) -> str:
        """The word for what went wrong."""
        answer = msgspec.json.decode(self.body)
        assert not answer["success"], answer
        assert answer["data"] is None
        return str(answer["error"]["code"])


class Client:
    """Asks a server, and shows its token."""

    def __init__(self, server: MonitorServer) -> None:
        self.server = server

    @property
    def port(self) -> int:
        """Where it is served."""
        return int(self.server.url.rpartition(":")[2])

    @property
    def authorization(self) -> dict[str, str]:
        """The header that shows the token."""
        return {"Authorization": f"Bearer {self.server.token.reveal()}"}

    def get(self, path: str, **headers: str) -> Reply:
        """Ask with the token, unless another `Authorization` is given."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        """Ask for something to be done."""
        text = msgspec.json.encode(body) if body is not None else b""
        return self._ask("POST", path, text, {"Content-Type": "application/json", **headers})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, path, body, {**self.authorization, **headers})
            response = connection.getresponse()
            shown = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, shown, response.read())
        finally:
            connection.close()


class Monitored(Client):
    """An engine, one venue, and the server over them."""

    def __init__(self, settings: dict[str, object] | None = None, **options: object) -> None:
        self.engine = MainEngine(settings=settings)
        self.venue = self.engine.add_adapter(TradingAdapter)
        super().__init__(MonitorServer(self.engine, 0, **options))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.stop()
        self.engine.close()
