"""What README promises is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot.model.constants import Status
from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread
from tests.support.futu_venue import running_futu
from tests.support.ib_venue import running_ib

ROOT = Path(__file__).parents[2]
WAIT_S = 25.0


def examples() -> list[str]:
    """The Python examples of README."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def run(code: str) -> list[str]:
    """What an example prints, once it has ended cleanly."""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def run_at_binance(code: str) -> list[str]:
    """What an example prints against a simulated Binance."""
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=50)
    with SimulatedBinanceThread(venue):
        code = code.replace("http://127.0.0.1:9001", venue.rest_url)
        assert venue.rest_url in code
        return run(code)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_example_has_fifteen_lines(number: int) -> None:
    """The examples that show ticks are as short as their heading says."""
    assert len([line for line in examples()[number].splitlines() if line.strip()]) == 15


def test_the_example_prints_a_tick_and_ends() -> None:
    """Copied and run against the simulated venue, the example prints a tick and ends cleanly."""
    assert " BTCUSDT.BINANCE " in run_at_binance(examples()[0])[0]


def test_the_example_of_ib_prints_a_tick_and_ends() -> None:
    """The same against the simulated gateway of Interactive Brokers."""
    with running_ib() as venue:
        code = examples()[1].replace('"port": 9002', f'"port": {venue.port}')
        assert str(venue.port) in code
        assert " AAPL-USD-STK.SMART " in run(code)[0]


def test_the_example_of_futu_prints_a_tick_and_ends() -> None:
    """The same against the simulated OpenD of Futu."""
    with running_futu(rate_hz=50.0) as venue:
        code = examples()[2].replace('"port": 9003', f'"port": {venue.port}')
        assert str(venue.port) in code
        assert " 00700.SEHK " in run(code)[0]


def test_the_order_example_is_filled_and_ends() -> None:
    """Copied and run, the last example sends an order, sees it filled and ends cleanly."""
    told = run_at_binance(examples()[3])
    assert f" {Status.SUBMITTING.value} 0" in told[0]
    assert any(f" {Status.ALLTRADED.value} 0.01" in line for line in told)


def test_links_lead_somewhere() -> None:
    """Every file that README links to is there."""
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []
