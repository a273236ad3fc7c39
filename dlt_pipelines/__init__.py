"""Data in and out of the warehouse: Stripe and the audit ledger in, the published copy out."""
