"""What the warehouse costs to build, against its marks."""
