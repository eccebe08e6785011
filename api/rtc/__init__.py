"""WebRTC: audio as Opus over RTP, the native protocol's messages over a data channel."""
