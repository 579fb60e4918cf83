"""A headless Chromium, driven by its own protocol over a websocket: no driver is needed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

WAIT_S = 20.0
LAPTOP, PHONE = (1366, 900), (390, 844)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new --remote-debugging-port=0 --no-sandbox --disable-gpu --hide-scrollbars "
    "--no-first-run --disable-extensions --disable-background-networking --disable-sync "
    "--disable-component-update --disable-default-apps --disable-dev-shm-usage --mute-audio "
    "--password-store=basic"
).split()
_NO_NAMES = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


def chromium() -> str | None:
    """Where Chromium is, if it is."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page of the browser."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._line, self._session = line, session
        self._numbers = itertools.count(10)
        self._waiting: dict[int, asyncio.Future[dict[str, object]]] = {}
        self.troubles: list[str] = []
        """What the page complained of: exceptions, failed requests, refused content."""

    async def listen(self) -> None:
        """Take what the browser tells."""
        async for message in self._line:
            told = message.json()
            waiting = self._waiting.pop(told.get("id", 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(told)
            self._note(told.get("method", ""), told.get("params", {}))

    def _note(self, method: str, params: dict[str, object]) -> None:
        if method == "Runtime.exceptionThrown":
            self.troubles.append(str(params.get("exceptionDetails")))
        entry = params.get("entry") if method == "Log.entryAdded" else None
        if isinstance(entry, dict) and entry.get("level") == "error":
            self.troubles.append(f"{entry.get('text')} {entry.get('url', '')}")

    async def ask(self, method: str, **params: object) -> dict[str, object]:
        """Send a command and wait for its result."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": params, "sessionId": self._session}
        await self._line.send_json(command)
        told = await asyncio.wait_for(answer, WAIT_S)
        assert "error" not in told, told
        result = told["result"]
        assert isinstance(result, dict)
        return result

    async def open(self, url: str, size: tuple[int, int] = LAPTOP) -> None:
        """Go there, on a screen of that size."""
        for domain in ("Page", "Runtime", "Log"):
            await self.ask(f"{domain}.enable")
        width, height = size
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=size == PHONE,
        )
        await self.ask("Page.navigate", url=url)

    async def run(self, script: str) -> object:
        """The value of an expression in the page."""
        told = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        result = told["result"]
        assert isinstance(result, dict)
        return result.get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(WAIT_S):
            while not await self.run(script):
                await asyncio.sleep(0)

    async def text(self) -> str:
        """What a person reads."""
        return str(await self.run("document.body.innerText"))

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """Save what is seen as PNG."""
        told = await self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(str(told["data"])))


@contextlib.asynccontextmanager
async def browser(program: str) -> AsyncIterator[Tab]:
    """A fresh browser with an empty page; it ends with the block."""
    with TemporaryDirectory(prefix="foxtrot-browser-", ignore_cleanup_errors=True) as place:
        process = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            _NO_NAMES,
            f"--user-data-dir={place}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(WAIT_S):
                address = await _address(Path(place) / "DevToolsActivePort")
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(address, max_msg_size=0) as line,
            ):
                tab = await _tab(line)
                listening = asyncio.create_task(tab.listen())
                yield tab
                listening.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _address(file: Path) -> str:
    while not (file.exists() and file.read_text().count("\n")):
        await asyncio.sleep(0)
    port, path = file.read_text().splitlines()[:2]
    return f"ws://127.0.0.1:{port}{path}"


async def _tab(line: aiohttp.ClientWebSocketResponse) -> Tab:
    async def ask(number: int, method: str, **params: object) -> dict[str, str]:
        await line.send_json({"id": number, "method": method, "params": params})
        while (told := await line.receive_json(timeout=WAIT_S)).get("id") != number:
            pass
        result: dict[str, str] = told["result"]
        return result

    target = await ask(1, "Target.createTarget", url="about:blank")
    attached = await ask(2, "Target.attachToTarget", targetId=target["targetId"], flatten=True)
    return Tab(line, attached["sessionId"])
