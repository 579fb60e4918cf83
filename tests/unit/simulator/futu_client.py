"""A client of the simulated OpenD with no socket in between: what it asks, and what it is sent."""

from __future__ import annotations

import itertools
from typing import Any

from foxtrot.simulator import futu_wire as wire
from foxtrot.simulator.futu import SimulatedFutu
from foxtrot.simulator.futu_accounts import REAL, SIMULATE
from foxtrot.simulator.futu_connection import Connection, Request
from foxtrot.simulator.futu_naming import kind_of, symbols_of
from foxtrot.simulator.futu_schema import Message, Proto, module, response

REAL_ID, PAPER_ID, PAPER_US_ID = 281_756_457_982_434_020, 9_053_218, 9_053_219
PASSWORD_MD5 = "e10adc3949ba59abbe56e057f20f883e"

_numbers = itertools.count(77)


def header(acc_id: int = REAL_ID, market: int = 1) -> dict[str, Any]:
    """A `TrdHeader`."""
    return {"trdEnv": REAL if acc_id == REAL_ID else SIMULATE, "accID": acc_id, "trdMarket": market}


class Client(Connection):
    """One client. `came` is everything it was sent, in order: its id and message."""

    def __init__(self, venue: SimulatedFutu, *accounts: int) -> None:
        super().__init__(venue)
        self.venue = venue
        self.number = self.conn_id = next(_numbers)
        self.joined = True
        self.came: list[tuple[Proto, Message]] = []
        self._frames = wire.Reader()
        self._serials = itertools.count(1)
        if accounts:
            self.get(Proto.Trd_SubAccPush, accIDList=list(accounts))

    def write(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            message = response(Proto(frame.proto_id))
            message.ParseFromString(frame.body)
            self.came.append((Proto(frame.proto_id), message))

    def ask(self, proto: Proto, **fields: Any) -> Message:
        """Everything that is answered to a request; an empty answer if nothing is."""
        c2s = module(proto.name).C2S(**fields)
        before = len(self.came)
        self.venue.handle(
            self,
            Request(proto, next(self._serials), c2s, kind_of(proto, c2s), symbols_of(c2s)),
        )
        answers = [message for id_, message in self.came[before:] if id_ is proto]
        return answers[-1] if answers else response(proto)

    def get(self, proto: Proto, **fields: Any) -> Message:
        """The `s2c` of what is answered to a request that is carried out."""
        answer = self.ask(proto, **fields)
        assert answer.retType == 0, answer.retMsg
        return answer.s2c

    def refused(self, proto: Proto, **fields: Any) -> str:
        """The words of a refusal."""
        answer = self.ask(proto, **fields)
        assert answer.retType == -1
        return answer.retMsg

    def packet(self) -> dict[str, int]:
        """A `PacketID` that was never used."""
        return {"connID": self.conn_id, "serialNo": next(self._serials)}

    def unlock(self) -> None:
        self.get(Proto.Trd_UnlockTrade, unlock=True, pwdMD5=PASSWORD_MD5)

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """The fields of an order for 300 Tencent at 500, far below the market, or another."""
        acc_id = changes.pop("acc_id", REAL_ID)
        fields = {
            "packetID": self.packet(),
            "header": header(acc_id, changes.pop("market", 1)),
            "trdSide": 1,
            "orderType": 1,
            "code": "00700",
            "qty": 300,
            "price": 500,
            "secMarket": 1,
            "remark": "mine",
        }
        return fields | changes

    def place(self, **changes: Any) -> str:
        """Place an order; what Futu calls it."""
        return self.get(Proto.Trd_PlaceOrder, **self.wanted(**changes)).orderIDEx

    def change(self, order: str, op: int = 1, acc_id: int = REAL_ID, **fields: Any) -> Message:
        """What is answered to a change of an order; op 2 cancels it."""
        return self.ask(
            Proto.Trd_ModifyOrder,
            packetID=self.packet(),
            header=header(acc_id),
            orderID=0,
            orderIDEx=order,
            modifyOrderOp=op,
            **fields,
        )

    def orders(self, acc_id: int = REAL_ID, **fields: Any) -> list[Message]:
        """Today's list of orders."""
        return list(self.get(Proto.Trd_GetOrderList, header=header(acc_id), **fields).orderList)

    def statuses(self) -> list[int]:
        """The status of every order that was pushed, in order."""
        pushed = (message for id_, message in self.came if id_ is Proto.Trd_UpdateOrder)
        return [message.s2c.order.orderStatus for message in pushed]

    def deals(self) -> list[Message]:
        """Every deal that was pushed."""
        return [m.s2c.orderFill for id_, m in self.came if id_ is Proto.Trd_UpdateOrderFill]

    def order_of(self, *protos: Proto) -> list[Proto]:
        """The ids of what came, of these kinds, in order."""
        return [id_ for id_, _ in self.came if id_ in protos]
