"""How not to lose an order: a pure tracker, a pure reconciler, and the journal, the one shell."""
