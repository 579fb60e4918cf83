"""The dashboard as people see it: the program, its page, and a real browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foxtrot.core.directories import DATA_VARIABLE
from tests.support.browser import LAPTOP, PHONE, Tab, browser, chromium

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(chromium() is None, reason="no Chromium here, which shows the dashboard"),
]
WAIT_S = 30.0


@contextlib.asynccontextmanager
async def demo(data: Path) -> AsyncIterator[str]:
    """Where the monitor of a running demo is."""
    command = ("-m", "foxtrot", "demo", "--venues", "binance", "--json", "--monitor", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {DATA_VARIABLE: str(data)},
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            url = await _url(process.stdout)
        draining = asyncio.create_task(process.stdout.read())
        yield url
        process.terminate()
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0
            await draining
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _url(output: asyncio.StreamReader) -> str:
    async for line in output:
        text = str(json.loads(line).get("text", ""))
        if text.startswith("monitor: "):
            return text.split()[1]
    raise AssertionError("the program ended before it served the monitor")


@contextlib.asynccontextmanager
async def page(data: Path) -> AsyncIterator[tuple[str, Tab, str]]:
    """The address, an empty browser, and the token."""
    program = chromium()
    assert program is not None
    async with demo(data) as url, browser(program) as tab:
        yield url, tab, (data / "monitor.token").read_text().strip()


def says(*words: str) -> str:
    """That the page shows all of these."""
    return " && ".join(f"document.body.innerText.includes({json.dumps(word)})" for word in words)


async def test_a_person_logs_in_looks_halts_and_resumes(data_directory: Path) -> None:
    """The form takes the token alone; a halt asks first; what is served changes by a menu."""
    async with page(data_directory) as (url, tab, token):
        await tab.open(f"{url}/", LAPTOP)
        await tab.until("document.querySelector('#token')")
        enter = "document.querySelector('#token').value = {}; document.forms[0].submit()"
        await tab.run(enter.format("'wrong'"))
        await tab.until(says("That is not the token"))
        tab.troubles.clear()  # the browser tells of the refusal, as it should
        await tab.run(enter.format(f"'{token}'"))

        await tab.until(says("BINANCE", "ready", "fresh", "BTCUSDT.BINANCE", "Messages a second"))
        await tab.until("document.querySelectorAll('canvas').length >= 2")
        assert await tab.run("location.href") == f"{url}/ui/"
        assert await tab.run("document.cookie") == "", "no script can read the cookie"
        assert token not in str(await tab.run("document.documentElement.outerHTML"))

        await tab.click("Halt trading")
        await tab.until(says("Halt trading at every venue?"))
        await tab.click("Back")
        await tab.until("!document.querySelector('.q-dialog__inner')")
        assert not await tab.run(says("Trading is halted"))
        await tab.click("Halt trading")
        await tab.click("Halt now")
        await tab.until(says("Trading is halted: asked to on the dashboard"))
        await tab.click("Resume")
        await tab.until(f"!({says('Trading is halted')})")

        await tab.click("mode")
        await tab.click("by polling")
        await tab.until(says("6 polling", "roll-out: polling for", "manual override"))
        assert tab.troubles == []


async def test_the_page_fits_a_laptop_and_a_phone(data_directory: Path) -> None:
    """Nothing has to be moved sideways, and on a phone tables are lists."""
    async with page(data_directory) as (url, tab, token):
        await tab.open(f"{url}/login?token={token}", LAPTOP)
        for size, tables in ((LAPTOP, True), (PHONE, False)):
            await tab.open(f"{url}/ui/", size)
            await tab.until(says("BINANCE", "ready", "BTCUSDT.BINANCE", "Halt trading"))
            await tab.until("document.documentElement.scrollWidth <= window.innerWidth")
            assert await tab.run("!!document.querySelector('.q-table thead')") is tables
            assert len(await tab.picture()) > 20_000
        assert tab.troubles == []
