"""Strategies to read and to copy. They watch; none trades."""
