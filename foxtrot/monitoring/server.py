"""The server of the API and the pages, on a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from foxtrot.core.logs import get_logger
from foxtrot.errors import ConfigurationError, FoxtrotError, InvalidState, ShutdownTimeout
from foxtrot.monitoring.access import Token
from foxtrot.monitoring.door import LOOPBACK, REQUESTS_PER_S, Door

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from foxtrot.engine.main_engine import MainEngine
    from foxtrot.monitoring.acts import Acts
    from foxtrot.monitoring.readings import Readings

log = get_logger("foxtrot.monitoring")

DEFAULT_PORT = 8650
THREAD = "foxtrot-monitor"
_START_S, _STOP_S, _GRACE_S = 15.0, 5.0, 1
_BACKLOG = 128
_PACKAGES = "fastapi httptools nicegui prometheus-client uvicorn wsproto"
_ADVICE = f"needs more than is installed; run: pip install {_PACKAGES}"


class MonitorServer:
    """Serves one engine's state over HTTP. The engine need not know of it.

    Args:
        engine: What is shown.
        port: Where; 0 takes a free one.
        host: On which address. Only this machine can reach the default.
        token: What opens the door; by default the one of the data directory.
        page: Serve the dashboard, too; a process can do so once.
        remote: Must be set to serve an address that other machines can reach: neither the token
            nor anything else is encrypted on its way.
        per_s: Requests a second; more are refused.

    Raises:
        ConfigurationError: The address is not of this machine and `remote` is not set.
        CredentialError: The token cannot be read or made.
    """

    def __init__(
        self,
        engine: MainEngine,
        port: int = DEFAULT_PORT,
        host: str = "127.0.0.1",
        *,
        token: Token | None = None,
        page: bool = False,
        remote: bool = False,
        per_s: float = REQUESTS_PER_S,
    ) -> None:
        if host not in LOOPBACK and not remote:
            problem = f"{host} can be reached by others; only the loopback is served unless asked"
            raise ConfigurationError("monitor", "host", problem)
        self.engine, self._host, self._port, self._per_s = engine, host, port, per_s
        self._page = page
        self.token = token or Token()
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._begun = threading.Event()
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Where it is served."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{self._port}"

    def start(self) -> None:
        """Serve; returns when it answers.

        Raises:
            ConfigurationError: The extra is not installed, or the port is taken.
            InvalidState: It runs, did not begin, or this process had a dashboard already.
        """
        if self._thread is not None:
            raise InvalidState("the monitor runs already")
        _check_installed()
        place = self._bind()
        self._port = place.getsockname()[1]
        self._begun.clear()
        self._thread = threading.Thread(target=self._run, args=(place,), name=THREAD, daemon=True)
        self._thread.start()
        if self._begun.wait(_START_S) and self._failure is None:
            log.info("monitor_started", url=self.url)
            return
        failure = self._failure
        self.stop()
        if isinstance(failure, FoxtrotError):
            raise failure
        reason = type(failure).__name__ if failure else f"not within {_START_S:g} s"
        raise InvalidState(f"the monitor could not begin: {reason}")

    def stop(self) -> None:
        """Serve no more; returns when the thread has ended. Idempotent.

        Raises:
            ShutdownTimeout: It did not end.
        """
        thread, server = self._thread, self._server
        if thread is None:
            return
        if server is not None:
            server.should_exit = True
        thread.join(_STOP_S)
        if thread.is_alive():
            raise ShutdownTimeout("monitor", _STOP_S, [thread.name])
        self._thread = self._server = self._failure = None

    close = stop

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        place = socket.socket(family, socket.SOCK_STREAM)
        try:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind((self._host, self._port))
            place.listen(_BACKLOG)
        except OSError as error:
            place.close()
            problem = f"cannot serve {self.url}: {error.strerror}"
            raise ConfigurationError("monitor", "port", problem) from None
        return place

    def _run(self, place: socket.socket) -> None:
        try:
            with place, asyncio.Runner() as runner:
                runner.run(self._serve(place))
        except BaseException as error:  # boundary: who waits for the start is told, the log too
            self._failure = error
            log.exception("monitor_ended")
        finally:
            self._begun.set()

    async def _serve(self, place: socket.socket) -> None:
        from foxtrot.monitoring.acts import Acts
        from foxtrot.monitoring.api import Shortcut, make_app
        from foxtrot.monitoring.listening import make_server
        from foxtrot.monitoring.readings import Readings

        readings = Readings(self.engine)
        acts = Acts(self.engine, readings)
        app = make_app(self.engine, readings, acts, self.token)
        sampler = self._add_page(app, readings, acts) if self._page else None
        remote = self._host not in LOOPBACK
        hosts = (self._host, socket.gethostname()) if remote else ()
        behind = Shortcut(app, readings)
        door = Door(behind, self.token, hosts=hosts, remote=remote, per_s=self._per_s)
        self._server = make_server(door, self._begun, _GRACE_S, THREAD)
        try:
            await self._server.serve([place])
        finally:
            if sampler is not None:
                sampler.cancel()
            await readings.close()

    def _add_page(self, app: FastAPI, readings: Readings, acts: Acts) -> asyncio.Task[None]:
        from foxtrot.monitoring.dashboard import mount
        from foxtrot.monitoring.history import History, sample

        history = History()
        mount(app, readings, acts, history)
        return asyncio.create_task(sample(history, readings), name="monitor-history")


def _check_installed() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise ConfigurationError("monitor", "", _ADVICE) from None
