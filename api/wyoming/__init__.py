"""The Wyoming protocol of Home Assistant, over TCP. docs/compat.md says what of it is served."""
