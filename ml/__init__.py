"""Forecasts of usage and revenue, churn risk and drift over the warehouse's feature tables."""
