"""Pages of cabinets, one module per kind of reader."""
