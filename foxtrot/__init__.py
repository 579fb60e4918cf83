"""foxtrot: one process, several trading venues, streams that do not lie."""
