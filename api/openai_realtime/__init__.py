"""OpenAI's Realtime API for transcription: `WS /v1/realtime`, in its GA and beta shapes.

`RealtimeDialect` is the whole translation and knows no socket; `router` puts it behind one. docs/compat.md
says what is supported, ignored and refused.
"""
