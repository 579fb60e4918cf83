"""Strategies to read and to copy: TrendWatcher watches, MaCross and MarketMaker trade."""
