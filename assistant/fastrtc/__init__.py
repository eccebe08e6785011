"""Steno inside a FastRTC application (extra `fastrtc`).

    Stream(on_pause(engine, reply), modality="audio", mode="send-receive")           # whole utterances
    Stream(LiveHandler(engine, reply=reply), modality="audio", mode="send-receive")  # text meanwhile

Both take any `STTEngine`: one that decodes here, or one that asks a service. No model is fetched from a hub.
"""

from typing import Any

from assistant.fastrtc.library import FASTRTC
from assistant.fastrtc.live import EVENTS, REPLY, Heard, LiveHandler, Reply
from assistant.fastrtc.pauses import OnPause, Pauses, on_pause

__all__ = ["EVENTS", "REPLY", "Heard", "LiveHandler", "OnPause", "Pauses", "Reply", "on_pause", "rtc_stream"]


def rtc_stream(handler: Any, *, connections: int = 4) -> Any:
    """A `fastrtc.Stream` for a handler of audio, to be mounted on a FastAPI application. So many connections
    at once; FastRTC's own default is one. It finds its peers without a STUN server, so nobody outside is
    asked: for peers behind other networks make a `Stream` with TURN servers yourself."""
    servers = {"iceServers": []}
    return FASTRTC.Stream(
        handler,
        modality="audio",
        mode="send-receive",
        concurrency_limit=connections,
        rtc_configuration=servers,
        server_rtc_configuration=servers,
        verbose=False,
    )
