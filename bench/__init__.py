"""How fast it is, beside a floor: `make bench` and `make bench-big`. Nothing imports this."""
