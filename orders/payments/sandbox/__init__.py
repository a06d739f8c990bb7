"""A small stateful server that obeys Stripe's published HTTP shapes.

It lets the real Stripe SDK run with no account: Checkout Sessions with a hosted page, payment
intents, charges, refunds, transfers, and signed webhooks. It imports nothing from the rest of
the project and keeps its state in a folder of its own.
"""
