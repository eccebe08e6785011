"""Short programs on the SDK; docs/sdk.md explains them, and tests run them."""
