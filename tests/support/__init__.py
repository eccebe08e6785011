"""What several tests need: data, builders, waiting."""
