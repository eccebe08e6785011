"""What hears in a voice assistant: speech to text in this process or at a service, as one variable says.

`assistant.fastrtc` puts it under FastRTC (extra `fastrtc`); `python -m assistant.echo` is an example.
"""

from assistant.engine import STTEngine, Text
from assistant.settings import AssistantSettings
from assistant.speech import Live

__all__ = ["AssistantSettings", "Live", "STTEngine", "Text"]
