"""Verbs of the buyers' side; each is one transaction."""
