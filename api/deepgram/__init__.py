"""Deepgram's protocol, live and for files, so that its clients work unchanged. docs/compat.md says what of it
is served."""
