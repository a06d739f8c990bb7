"""Pages of the buyers' side."""
