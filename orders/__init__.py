"""The buyers' side: orders, rounds, group orders, allocation, payments and settlement."""
