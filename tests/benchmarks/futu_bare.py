"""A socket and the schema, nothing else: what this machine takes to wake who reads a print."""

from __future__ import annotations

import socket

from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu_schema import Message, Proto, request, response
from tests.benchmarks.clients import WAIT_S, Meter, Run
from tests.benchmarks.futu_flood import STAMPED_BEFORE_S, SYMBOLS

_PRINTS, _HONG_KONG = 4, 1
_NO_CIPHER = -1
_BYTES = 128 << 10
"""As the SDK reads."""


def bare_client(port: int, messages: int) -> Run:
    """One thread that sleeps in `recv` and reads each print where it comes."""
    meter, reader = Meter(messages), wire.Reader()
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as line:
        _ask(line, Proto.InitConnect, 1, _hello())
        line.recv(_BYTES)
        _ask(line, Proto.Qot_Sub, 2, _wanted())
        while data := line.recv(_BYTES):
            for frame in reader.feed(data):
                if frame.proto_id == Proto.Qot_UpdateTicker and _taken(meter, frame.body):
                    return meter.run()
    raise RuntimeError(f"{meter.count} of {messages} pushes")


def _taken(meter: Meter, body: bytes) -> bool:
    push = response(Proto.Qot_UpdateTicker)
    push.ParseFromString(body)
    sent_at = push.s2c.tickerList[0].timestamp
    return sent_at < STAMPED_BEFORE_S and meter.take(sent_at)


def _ask(line: socket.socket, proto: Proto, serial: int, asked: Message) -> None:
    line.sendall(wire.encode(proto, serial, asked.SerializeToString()))


def _hello() -> Message:
    asked = request(Proto.InitConnect)
    asked.c2s.clientVer, asked.c2s.clientID, asked.c2s.packetEncAlgo = 300, "bare", _NO_CIPHER
    asked.c2s.pushProtoFmt = 0
    return asked


def _wanted() -> Message:
    asked = request(Proto.Qot_Sub)
    for name in SYMBOLS:
        asked.c2s.securityList.add(market=_HONG_KONG, code=name.removeprefix("HK."))
    asked.c2s.subTypeList.append(_PRINTS)
    asked.c2s.isSubOrUnSub = asked.c2s.isRegOrUnRegPush = True
    asked.c2s.isFirstPush = False
    return asked
