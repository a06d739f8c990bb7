"""Money in and out: Stripe, corporate transfers, refunds and payouts."""
