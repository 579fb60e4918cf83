"""Venues that speak the real wire protocols, on loopback, strict and cruel on command."""
