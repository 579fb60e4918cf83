"""Composition roots: the command line and the demo."""
