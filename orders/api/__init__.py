"""JSON of the buyers' side."""
