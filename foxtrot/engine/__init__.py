"""What a desktop or a script holds: the main engine, its cache and its strategies."""
