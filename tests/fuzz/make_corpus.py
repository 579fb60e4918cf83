"""Writes the corpora anew: one good piece of each kind for every target."""

from __future__ import annotations

import json
from pathlib import Path

from foxtrot.adapter.futu.wire import encode
from foxtrot.simulator import futu_payloads as payloads
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_schema import Message
from tests.fuzz.targets import TARGETS
from tests.property.test_binance_frames import ANSWER, CANDLE, DAY, DEPTH, QUOTE, TRADE
from tests.support import ib_feed
from tests.support.ib_door import frame

CORPUS = Path(__file__).with_name("corpus")
_SETTINGS: tuple[object, ...] = (
    {},
    {"websocket.enabled": False, "polling.interval": 2.5, "adapters.B.websocket.symbols": ["X"]},
    {
        "venues": {
            "B": {"adapter": "binance", "connect": {"api_key": "env:K"}, "subscribe": ["X"]}
        },
        "strategies": [
            {"class": "cross", "name": "x", "symbols": ["X.BINANCE"], "params": {"n": 1}}
        ],
    },
)
_ANSWERS: tuple[tuple[int, object], ...] = (
    (0, {"symbol": "X", "orderId": 7, "clientOrderId": "fx1", "transactTime": 1, "price": "1.0",
         "origQty": "1.0", "executedQty": "0.0", "status": "NEW", "type": "LIMIT", "side": "BUY",
         "fills": []}),
    (1, {"code": -2010, "msg": "Account has insufficient balance for requested action."}),
    (4, {"code": -1003, "msg": "Way too many requests; IP banned until 1795000000000."}),
)  # fmt: skip
_MESSAGES = (
    ib_feed.price(1, 10.25, 5),
    ib_feed.size(0, 5),
    ib_feed.printed(ib_feed.AT_S, 10, 5),
    ib_feed.stamp(ib_feed.AT_S),
    ib_feed.row(0, 0, 1, 10, 5),
    ib_feed.bars_past(ib_feed.AT_S),
    frame(4, 2, -1, 2104, "Market data farm connection is OK:usfarm", ""),
    frame(3, 7, 0, "AAPL", "STK", "", 0, "?", "", "SMART", "USD", "AAPL", "NMS", "BUY", 1, "LMT"),
)


def main() -> None:
    """Write them."""
    pieces: dict[str, list[bytes]] = {name: [] for name in TARGETS}
    pieces["settings"] = [json.dumps(each).encode() for each in _SETTINGS]
    pieces["control"] = [
        b'{"name": "latency", "seconds": 2, "symbol": "X"}',
        b'{"name": "slicer", "size_bytes": 4, "stream": "upstream"}',
    ]
    frames = (QUOTE, DAY, DEPTH, TRADE, CANDLE, ANSWER)
    pieces["binance_frame"] = [json.dumps(each, separators=(",", ":")).encode() for each in frames]
    pieces["binance_answer"] = [bytes([at]) + json.dumps(body).encode() for at, body in _ANSWERS]
    pieces["tws_message"] = [message[4:] for message in _MESSAGES]
    pieces["tws_bytes"] = [b"".join(_MESSAGES), *_MESSAGES[:3]]
    for at, whole in enumerate(_pushes()):
        body = whole.SerializeToString()
        pieces["opend_push"].append(bytes([at]) + body)
        pieces["opend_bytes"].append(encode(3005, at, body))
    for name, bodies in pieces.items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for at, body in enumerate(bodies):
            (folder / f"{at:02d}").write_bytes(body)


def _pushes() -> tuple[Message, ...]:
    """A push of each kind, as the simulated OpenD makes them."""
    sim = SimulatedFutu(["HK.00700"], seed=7, rate_hz=0.0)
    market, contract = sim.market, sim.universe.contracts["HK.00700"]
    while not market.trades(contract.name):
        sim.tick(contract.name)
    return (
        payloads.quote(market, contract),
        payloads.book(market, contract),
        payloads.prints(contract, market.trades(contract.name)),
        payloads.kline(market, contract, 1, 0),
    )


if __name__ == "__main__":
    main()
