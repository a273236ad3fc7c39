"""A Stripe-compatible server with a seeded company, for a machine with no Stripe account.

Other packages reach it by URL only. What is not simulated is listed in `python -m sandbox --help`.
"""
