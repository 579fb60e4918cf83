"""What foxtrot shows of itself to the outside: metrics, alerts, and the HTTP API over them."""
