"""The port: what every venue's adapter offers and what it has to implement."""
