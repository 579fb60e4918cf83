"""A simulated OpenD without windows: `python -m tests.soak.opend SEED RATE`.

They are 30 seconds long, and no setting of foxtrot's scales them: where there is a fault a second,
each list would have to wait for its turn.
"""

from __future__ import annotations

import asyncio
import json
import sys

from foxtrot.simulator.futu import FutuLimits, SimulatedFutu

_LIMITS = FutuLimits(place=None, modify=None, orders=None, unlock=None, snapshot=None, history=None)


async def serve(seed: int, rate_hz: float) -> None:
    """Serve until killed; says where, as `foxtrot sim --json` does."""
    venue = SimulatedFutu(seed=seed, rate_hz=rate_hz, limits=_LIMITS)

    def announce(faults_url: str) -> None:
        connect = {"environment": "simulated", "host": venue.host, "port": venue.port}
        sys.stdout.write(json.dumps({"faults_url": faults_url, "connect": connect}) + "\n")
        sys.stdout.flush()

    await venue.serve(announce)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
