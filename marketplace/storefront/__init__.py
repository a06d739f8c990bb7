"""The shop's shelves: home, list and product page, and the same as JSON."""
