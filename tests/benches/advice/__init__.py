"""What advice costs to compute, and whether it was worth what it said."""
