"""The engine room: threads, loop, clock, settings, secrets and logs."""
