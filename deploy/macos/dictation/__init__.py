"""The macOS app around `steno dictate`."""
