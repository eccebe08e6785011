"""The only package that speaks Redis: keys, connections, scripts, and a typed wrapper for each thing kept
there."""
