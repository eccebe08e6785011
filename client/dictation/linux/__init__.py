"""Dictation on Linux: PortAudio, X11 or `wtype`, and Qt where it is installed."""
