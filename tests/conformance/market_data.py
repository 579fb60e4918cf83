"""Cards MD: subscriptions, and what they deliver."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from foxtrot.errors import ConfigurationError
from foxtrot.model.constants import Channel, Direction, Exchange, Interval, StreamState
from foxtrot.model.constants import ConnectionState as S
from foxtrot.model.events import EVENT_CONTRACT, EVENT_STREAM, EVENT_TICK
from foxtrot.model.health import StreamStatus
from foxtrot.model.objects import BarData, DepthData, MarketTradeData, TickData
from foxtrot.model.requests import SubscribeRequest
from tests.conformance.base import Cards
from tests.support.events import EventLog
from tests.support.rig import EVENT_OF, WAIT_S, Rig, eventually, running

RECENT = dt.timedelta(minutes=2)


class MarketDataCards(Cards):
    """MD010 to MD200."""

    @pytest.mark.parametrize("channel", list(Channel))
    def test_MD010_each_channel_delivers_valid_objects(self, rig: Rig, channel: Channel) -> None:
        """MD010: what is delivered can be used as it is.

        Prerequisite: the venue streams the channel. Action: subscribe; the market moves.
        Expected: an object of the channel's type. Pass: names, times with zone, sane numbers,
        and nobody can change it.
        """
        self.needs_channel(rig, channel)
        symbol = rig.venue.symbols[0]
        rig.subscribe(symbol, channel)
        rig.connect()
        rig.wait_served()
        data = rig.wait_event(rig.request(symbol, channel))
        assert_valid(data, rig, symbol)

    @pytest.mark.parametrize("channel", list(Channel))
    def test_MD020_an_event_reaches_who_asked_for_its_symbol(
        self, rig: Rig, channel: Channel
    ) -> None:
        """MD020: a handler of one symbol hears that symbol only.

        Prerequisite: two symbols are streamed. Action: both move.
        Expected: events of type + vt_symbol. Pass: none of the other symbol.
        """
        self.needs_channel(rig, channel)
        first, second = rig.venue.symbols[:2]
        mine = EventLog()
        rig.engine.register(f"{EVENT_OF[channel]}{first}.{rig.venue.exchange.value}", mine)
        rig.subscribe(first, channel)
        rig.subscribe(second, channel)
        rig.connect()
        rig.wait_served()
        rig.wait_event(rig.request(second, channel))
        rig.wait_event(rig.request(first, channel))
        assert {getattr(event.data, "symbol", "") for event in mine.items} == {first}

    def test_MD030_a_tick_carries_quote_and_statistics(self, rig: Rig) -> None:
        """MD030: best prices, last price and the day come in one object.

        Prerequisite: ticks are streamed. Action: the market moves.
        Expected: a tick. Pass: bid below ask, last price, volume and the day's prices are there.
        """
        symbol = rig.venue.symbols[0]
        rig.ready(symbol)
        rig.wait_fresh(symbol)
        tick = rig.ticks(symbol)[-1]
        assert 0 < tick.bid_price_1 < tick.ask_price_1
        assert tick.bid_volume_1 > 0
        assert tick.ask_volume_1 > 0
        assert tick.low_price <= tick.last_price <= tick.high_price
        assert tick.volume > 0
        if "turnover" not in rig.venue.lacks:
            assert tick.turnover > tick.volume * tick.low_price * 0.5
        assert tick.open_price > 0

    def test_MD040_the_first_tick_needs_no_move(self, rig: Rig) -> None:
        """MD040: a quiet market shows its prices too.

        Prerequisite: the market stands still. Action: subscribe.
        Expected: a tick. Pass: it tells the prices of the moment.
        """
        rig.ready(rig.venue.symbols[0])
        rig.wait_newest(rig.venue.symbols[0])

    def test_MD050_subscribe_before_connect(self, rig: Rig) -> None:
        """MD050: subscriptions may come first.

        Prerequisite: not connected. Action: subscribe, then connect.
        Expected: READY. Pass: the venue sends the streams and they flow.
        """
        rig.ready(*rig.venue.symbols)
        rig.wait_flowing()

    def test_MD060_subscribe_after_connect(self, rig: Rig) -> None:
        """MD060: subscriptions may come any time later.

        Prerequisite: READY without streams. Action: subscribe.
        Expected: the streams, without a change of the connection. Pass: they flow.
        """
        rig.ready()
        since = len(rig.log)
        rig.subscribe(rig.venue.symbols[0])
        rig.wait_served()
        rig.wait_flowing()
        assert rig.states(since=since) == []

    def test_MD070_subscribe_while_the_venue_is_away(self, rig: Rig) -> None:
        """MD070: what is wanted during an outage is there after it.

        Prerequisite: the venue is gone. Action: one subscribe, one unsubscribe; it comes back.
        Expected: READY. Pass: exactly what is wanted now is streamed.
        """
        first, second, third = rig.venue.symbols[:3]
        rig.ready(first, second)
        rig.venue.stop()
        rig.wait_state(S.RECONNECTING)
        rig.subscribe(third)
        rig.unsubscribe(first)
        rig.venue.start()
        rig.wait_served()
        eventually(
            lambda: rig.venue.live() == {rig.venue.key(second), rig.venue.key(third)},
            "the venue sends exactly what is wanted",
        )
        rig.wait_flowing()

    def test_MD080_asking_twice_is_asking_once(self, rig: Rig) -> None:
        """MD080: subscribe is idempotent.

        Prerequisite: READY. Action: subscribe to the same three times.
        Expected: one subscription. Pass: the venue saw one.
        """
        rig.ready()
        for _ in range(3):
            rig.subscribe(rig.venue.symbols[0])
        rig.wait_served()
        rig.subscribe(rig.venue.symbols[0])
        rig.subscribe(rig.venue.symbols[1])
        rig.wait_served()
        assert len(rig.adapter.subscriptions()) == 2
        assert rig.venue.asked().count(rig.venue.key(rig.venue.symbols[0])) == 1

    @pytest.mark.parametrize("channel", list(Channel))
    def test_MD090_unsubscribe_ends_one_stream_only(self, rig: Rig, channel: Channel) -> None:
        """MD090: giving one stream back touches no other.

        Prerequisite: all channels of a symbol are streamed. Action: unsubscribe one.
        Expected: the others go on. Pass: the venue saw just that unsubscribe, and nothing of the
        stream is told afterwards.
        """
        self.needs_channel(rig, channel)
        self.needs(rig.venue, f"own_{channel.value}")
        symbol = rig.venue.symbols[0]
        streamed = sorted(rig.adapter.capabilities.streamed, key=lambda each: each.value)
        rig.subscribe(symbol, *streamed)
        rig.connect()
        rig.wait_served()
        rig.unsubscribe(symbol, channel)
        eventually(lambda: rig.venue.returned() != [], "the venue sees the unsubscribe")
        rig.wait_served()
        since = len(rig.log)
        rig.wait_flowing()
        assert rig.venue.returned() == [rig.venue.key(symbol, channel)]
        assert EVENT_OF[channel] not in {event.type for event in rig.log.items[since:]}

    def test_MD100_unsubscribing_what_is_not_wanted_does_nothing(self, rig: Rig) -> None:
        """MD100: unsubscribe is idempotent.

        Prerequisite: READY. Action: unsubscribe something unwanted, and something twice.
        Expected: one unsubscribe. Pass: the venue saw one; the rest flows.
        """
        first, second, third = rig.venue.symbols[:3]
        rig.ready(first, second)
        rig.unsubscribe(third)
        rig.unsubscribe(first)
        rig.unsubscribe(first)
        eventually(lambda: rig.venue.live() == {rig.venue.key(second)}, "one stream is left")
        rig.wait_flowing()
        assert rig.venue.returned() == [rig.venue.key(first)]

    def test_MD110_a_stream_given_back_can_be_had_again(self, rig: Rig) -> None:
        """MD110: unsubscribe is not for ever.

        Prerequisite: a stream flows. Action: unsubscribe, then subscribe.
        Expected: its data again. Pass: it is as new as the venue's.
        """
        symbol = rig.venue.symbols[0]
        rig.ready(symbol)
        rig.wait_flowing()
        rig.unsubscribe(symbol)
        eventually(lambda: not rig.venue.live(), "the venue sends nothing")
        rig.subscribe(symbol)
        rig.wait_served()
        rig.wait_flowing()

    def test_MD120_an_unknown_symbol_harms_nobody(self, rig: Rig) -> None:
        """MD120: a misspelt symbol fails alone, with advice.

        Prerequisite: good symbols beside it. Action: subscribe and connect.
        Expected: a stream event FAILED whose reason names the nearest symbol; DEGRADED.
        Pass: the others are live.
        """
        wrong, meant = rig.venue.misspelt
        rig.subscribe(wrong)
        rig.subscribe(rig.venue.symbols[1])
        rig.connect()
        rig.wait_state(S.DEGRADED)
        status = rig.log.wait_type(
            EVENT_STREAM, where=lambda s: isinstance(s, StreamStatus) and s.symbol == wrong
            and s.state is StreamState.FAILED,
        )  # fmt: skip
        assert isinstance(status, StreamStatus)
        assert meant in status.reason
        assert rig.venue.live() == {rig.venue.key(rig.venue.symbols[1])}
        rig.wait_fresh(rig.venue.symbols[1])
        rig.unsubscribe(wrong)
        rig.wait_state(S.READY)

    def test_MD130_a_hundred_symbols(self) -> None:
        """MD130: many symbols are as good as one.

        Prerequisite: the venue trades a hundred. Action: subscribe to all, connect, restart it.
        Expected: READY, twice. Pass: each symbol's tick is as new as the venue's, both times.
        """
        symbols = self.venue_class.many(100)
        with self.started(self.venue_class(symbols)) as venue, running(venue) as rig:
            rig.ready(*symbols)
            rig.wait_fresh(*symbols)
            since = len(rig.log)
            venue.stop()
            rig.wait_state(S.RECONNECTING, since=since)
            venue.start()
            rig.wait_served()
            rig.wait_fresh(*symbols)
            assert len(rig.engine.get_all_ticks()) == 100

    def test_MD140_a_wrong_request_is_refused_on_the_spot(self, rig: Rig) -> None:
        """MD140: what cannot be had is said to the caller.

        Prerequisite: none. Action: a foreign exchange, no symbol, an interval that is none.
        Expected: ConfigurationError that names the field. Pass: nothing is wanted afterwards.
        """
        foreign = next(each for each in Exchange if each not in rig.adapter.exchanges)
        mine = rig.venue.exchange
        wrong = {
            "exchange": SubscribeRequest("X", foreign),
            "symbol": SubscribeRequest("", mine),
            "interval": SubscribeRequest("X", mine, Channel.BAR, Interval.TICK),
        }
        for field, request in wrong.items():
            with pytest.raises(ConfigurationError) as caught:
                rig.engine.subscribe(request, rig.name)
            assert caught.value.field == field
        assert rig.adapter.subscriptions() == ()

    def test_MD150_the_cache_holds_the_latest(self, rig: Rig) -> None:
        """MD150: whoever comes late can ask for what is.

        Prerequisite: ticks and depth flow. Action: get_tick and get_depth.
        Expected: objects. Pass: they tell the newest prices.
        """
        self.needs_channel(rig, Channel.DEPTH)
        symbol = rig.venue.symbols[0]
        vt_symbol = f"{symbol}.{rig.venue.exchange.value}"
        rig.subscribe(symbol, Channel.TICK, Channel.DEPTH)
        rig.connect()
        rig.wait_served()
        rig.wait_flowing()
        newest = rig.venue.newest(symbol)

        def shown() -> bool:
            tick, depth = rig.engine.get_tick(vt_symbol), rig.engine.get_depth(vt_symbol)
            assert tick is not None
            assert depth is not None
            best = depth.bids[0][0], depth.asks[0][0]
            return (tick.bid_price_1, tick.ask_price_1) == newest == best

        eventually(shown, "the newest tick and depth")

    def test_MD160_every_tick_can_be_had_in_order(self, rig: Rig) -> None:
        """MD160: who does not want the newest only gets all.

        Prerequisite: conflate=False. Action: 300 moves at once.
        Expected: at least 300 ticks. Pass: none is missing, the order is the venue's.
        """
        symbol = rig.venue.symbols[0]
        request = SubscribeRequest(symbol, rig.venue.exchange, conflate=False)
        rig.engine.subscribe(request, rig.name)
        rig.ready()
        rig.wait_flowing()
        since = len(rig.log)
        quotes = [rig.venue.newest(symbol)]
        for _ in range(300):
            rig.venue.move(symbol)
            quotes.append(rig.venue.newest(symbol))
        sides = [slice(0, 1), slice(1, 2)] if rig.venue.quotes_by_side else [slice(2)]

        def all_told() -> bool:
            told = [(t.bid_price_1, t.ask_price_1) for t in rig.ticks(symbol, since)]
            complete = len(told) >= 300
            for side in sides:
                known = _without_repeats([quote[side] for quote in quotes])
                seen = _without_repeats([quote[side] for quote in (quotes[0], *told)])
                assert seen == known[: len(seen)], "out of order, or one is missing"
                complete = complete and seen == known
            return complete

        eventually(all_told, "every tick in the venue's order")

    def test_MD170_subscribing_from_a_handler(self, rig: Rig) -> None:
        """MD170: a strategy may subscribe to what it has just learnt of.

        Prerequisite: a handler of contracts. Action: it subscribes to each; connect.
        Expected: no wait, no deadlock. Pass: every contract is streamed.
        """
        self.needs_listing(rig)
        rig.engine.register(EVENT_CONTRACT, lambda event: rig.subscribe(event.data.symbol))
        rig.connect()
        everything = {rig.venue.key(symbol) for symbol in rig.venue.symbols}
        eventually(lambda: rig.venue.live() == everything, "all contracts are streamed")
        rig.wait_flowing()

    def test_MD180_subscribing_from_many_threads(self, rig: Rig) -> None:
        """MD180: requests may come from any thread.

        Prerequisite: READY. Action: four threads subscribe and unsubscribe, then all subscribe.
        Expected: what the last word was. Pass: it flows.
        """
        rig.ready()

        def churn() -> None:
            for _ in range(25):
                for symbol in rig.venue.symbols:
                    rig.subscribe(symbol)
                    rig.unsubscribe(symbol)

        threads = [threading.Thread(target=churn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        for symbol in rig.venue.symbols:
            rig.subscribe(symbol)
        rig.wait_served()
        rig.wait_flowing()

    def test_MD190_stream_states_are_told(self, rig: Rig) -> None:
        """MD190: each step of a subscription is an event.

        Prerequisite: READY. Action: subscribe; the venue goes away and comes back.
        Expected: PENDING, ACTIVE, PENDING, ACTIVE. Pass: exactly these.
        """
        rig.ready()
        symbol = rig.venue.symbols[0]
        rig.subscribe(symbol)
        rig.wait_served()
        rig.venue.stop()
        rig.wait_state(S.RECONNECTING)
        rig.venue.start()
        rig.wait_served()
        told = [s for s in rig.log.of(EVENT_STREAM) if isinstance(s, StreamStatus)]
        pending, active = StreamState.PENDING, StreamState.ACTIVE
        assert [s.state for s in told] == [pending, active, pending, active]
        assert {s.symbol for s in told} == {symbol}

    def test_MD200_ticks_of_a_reconnect_are_no_older(self, rig: Rig) -> None:
        """MD200: time does not run backwards at a reconnect.

        Prerequisite: ticks flow. Action: the market moves while the venue is cut off.
        Expected: the first tick after READY. Pass: it tells the venue's newest prices.
        """
        symbol = rig.venue.symbols[0]
        rig.ready(symbol)
        rig.wait_fresh(symbol)
        rig.venue.stop()
        rig.wait_state(S.RECONNECTING)
        rig.venue.move(symbol, 5)
        since = len(rig.log)
        rig.venue.start()
        rig.wait_served()
        rig.wait_newest(symbol, since)
        first = rig.ticks(symbol, since)[0]
        assert (first.bid_price_1, first.ask_price_1) == rig.venue.newest(symbol)
        assert EVENT_TICK in {event.type for event in rig.log.items[since:]}


def assert_valid(data: object, rig: Rig, symbol: str) -> None:
    """What every object of market data has to fulfil."""
    assert isinstance(data, TickData | DepthData | MarketTradeData | BarData)
    assert data.symbol == symbol
    assert data.exchange is rig.venue.exchange
    assert data.vt_symbol == f"{symbol}.{rig.venue.exchange.value}"
    assert data.adapter_name == data.gateway_name == rig.name
    assert data.datetime.utcoffset() == dt.timedelta(0)
    assert abs(dt.datetime.now(dt.UTC) - data.datetime) < RECENT
    with pytest.raises(AttributeError):
        data.adapter_name = "OTHER"  # type: ignore[misc]
    assert_sane(data, rig)


def assert_sane(data: TickData | DepthData | MarketTradeData | BarData, rig: Rig) -> None:
    """Numbers that make sense together."""
    if isinstance(data, TickData):
        assert 0 < data.bid_price_1 <= data.ask_price_1
    elif isinstance(data, DepthData):
        assert len(data.bids) == len(data.asks) > 1
        bids, asks = [p for p, _ in data.bids], [p for p, _ in data.asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
    elif isinstance(data, MarketTradeData):
        assert data.price > 0
        assert data.volume > 0
        if "direction" in rig.venue.lacks:
            assert data.direction is Direction.NET
        else:
            assert data.direction in (Direction.LONG, Direction.SHORT)
        assert data.tradeid
    else:
        assert data.low_price <= data.open_price <= data.high_price
        assert data.low_price <= data.close_price <= data.high_price
        assert data.interval is Interval.MINUTE
        assert data.datetime.second == 0


def _without_repeats(items: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return [item for at, item in enumerate(items) if not at or items[at - 1] != item]
