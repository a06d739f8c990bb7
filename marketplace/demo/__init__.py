"""The demo: facts of 2020 in dates of today, replayed through the real actions.

Places, products, reported quantities and views are facts; prices, people, orders and
certificates are made up, and every page says so while the demo is loaded.
"""
