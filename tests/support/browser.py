"""A headless Chromium, driven by its own protocol over a websocket: no driver is needed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from tempfile import TemporaryDirectory

import aiohttp

WAIT_S = 20.0
LAPTOP, PHONE = (1366, 900), (390, 844)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
    "--password-store=basic",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
_LISTENING = b"DevTools listening on "


def chromium() -> str | None:
    """Where Chromium is, if it is."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Refused(Exception):
    """The browser did not do what it was asked."""


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
        if "error" in told:
            raise Refused(str(told["error"]))
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
        """Wait until an expression is true, on this page or one that comes after it."""
        looks = f"{{ try {{ if ({script}) {{ clearInterval(t); done(true) }} }} catch (_) {{}} }}"
        promise = f"new Promise(done => {{ const t = setInterval(() => {looks}, 20) }})"
        try:
            async with asyncio.timeout(WAIT_S):
                while not await self._holds(promise):
                    pass
        except TimeoutError:
            raise AssertionError(f"never true: {script}; seen: {await self.text()}") from None

    async def _holds(self, promise: str) -> bool:
        try:
            told = await self.ask("Runtime.evaluate", expression=promise, awaitPromise=True)
        except Refused:
            return False  # the page went away while it was asked
        return "exceptionDetails" not in told

    async def click(self, words: str) -> None:
        """Click the button or menu item that says so, as soon as there is one."""
        found = (
            f"[...document.querySelectorAll('button, .q-item')]"
            f".find(x => x.offsetParent !== null && x.innerText.includes({json.dumps(words)}))"
        )
        await self.until(f"{found}")
        await self.run(f"{found}.click()")

    async def text(self) -> str:
        """What a person reads."""
        return str(await self.run("document.body.innerText"))

    async def picture(self) -> bytes:
        """What is seen, as PNG."""
        told = await self.ask("Page.captureScreenshot")
        return base64.b64decode(str(told["data"]))


@contextlib.asynccontextmanager
async def browser(program: str) -> AsyncIterator[Tab]:
    """A fresh browser with an empty page; it ends with the block."""
    with TemporaryDirectory(prefix="foxtrot-browser-", ignore_cleanup_errors=True) as place:
        process = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            f"--user-data-dir={place}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stderr is not None
            async with asyncio.timeout(WAIT_S):
                address = await _address(process.stderr)
            reading = asyncio.create_task(process.stderr.read())
            async with _attached(address) as tab:
                yield tab
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await reading


@contextlib.asynccontextmanager
async def _attached(address: str) -> AsyncIterator[Tab]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(address, max_msg_size=0) as line,
    ):
        tab = await _tab(line)
        listening = asyncio.create_task(tab.listen())
        try:
            yield tab
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _address(told: asyncio.StreamReader) -> str:
    async for line in told:
        if line.startswith(_LISTENING):
            return line.removeprefix(_LISTENING).decode().strip()
    raise AssertionError("the browser ended at once")


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
