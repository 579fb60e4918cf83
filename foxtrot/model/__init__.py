"""Nouns: immutable values, enums and event types."""
