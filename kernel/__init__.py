"""What every room stands on: database, money, time, identity, refusals, jobs and the ledger."""
