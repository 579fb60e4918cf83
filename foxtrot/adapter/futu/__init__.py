"""Futu, through OpenD and futu-api."""

from foxtrot.adapter.futu.adapter import FutuAdapter

__all__ = ["FutuAdapter"]
