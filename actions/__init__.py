"""Carries out approved recommendations, once each, and keeps a ledger that shows when it was altered."""
