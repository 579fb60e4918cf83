"""What README promises is run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from foxtrot.simulator.binance import SimulatedBinance, SimulatedBinanceThread

ROOT = Path(__file__).parents[2]
WAIT_S = 25.0


def example() -> str:
    """The Python example of README."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def test_the_example_has_fifteen_lines() -> None:
    """The example is as short as its heading says."""
    assert len([line for line in example().splitlines() if line.strip()]) == 15


def test_the_example_prints_a_tick_and_ends() -> None:
    """Copied and run against the simulated venue, the example prints a tick and ends cleanly."""
    venue = SimulatedBinance(["BTCUSDT"], rate_hz=50)
    with SimulatedBinanceThread(venue):
        code = example().replace("http://127.0.0.1:9001", venue.rest_url)
        assert venue.rest_url in code
        ended = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert " BTCUSDT.BINANCE " in ended.stdout.splitlines()[0]


def test_links_lead_somewhere() -> None:
    """Every file that README links to is there."""
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []
