"""Dictation: talk, and it types into any app.

`core` is pure and decides everything. `ports` says what it needs of a desktop; `linux` and `macos` provide
that. `app` joins them, with one asyncio loop on a thread of its own beside the desktop's main loop.
"""
