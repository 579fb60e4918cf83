"""How to stay connected: pure policies and one driver, the supervisor."""
