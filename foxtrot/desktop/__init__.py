"""foxtrot in the vnpy desktop, and vnpy's gateways in foxtrot; the only room that knows vnpy."""
