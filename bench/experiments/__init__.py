"""Experiments behind the engine's choices; docs/engine.md has their tables."""
