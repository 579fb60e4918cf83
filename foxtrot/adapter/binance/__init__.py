"""Binance, through ccxt."""

from foxtrot.adapter.binance.adapter import BinanceAdapter

__all__ = ["BinanceAdapter"]
