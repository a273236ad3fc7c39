"""How good the forecasts are, and what they cost, against their marks."""
