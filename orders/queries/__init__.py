"""Reads of the buyers' side."""
