"""Binance, through ccxt."""
