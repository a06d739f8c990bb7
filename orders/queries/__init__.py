"""Reads of the buyers' side, one module per use case."""
