"""A WebSocket as `api.conversation` reads and writes it."""

from typing import Final

from fastapi import WebSocket, WebSocketDisconnect

from api.conversation import Gone

TOO_LARGE: Final = 1009


class WebSocketWire:
    """Text messages are `str`, binary ones `bytes`. The socket must be accepted."""

    def __init__(self, socket: WebSocket, *, message_bytes_max: int) -> None:
        """A longer message closes the connection with 1009; the server under it may do so before."""
        self._socket = socket
        self._message_bytes_max = message_bytes_max

    async def receive(self) -> str | bytes:
        """The next message. Raises `Gone`."""
        try:
            event = await self._socket.receive()
        except RuntimeError:  # what Starlette raises for a socket that is closed
            raise Gone from None
        if event["type"] == "websocket.disconnect":
            raise Gone
        data: str | bytes | None = event.get("bytes")
        if data is None:
            data = str(event.get("text") or "")
        if len(data) > self._message_bytes_max:
            await self.close(TOO_LARGE, "")
            raise Gone
        return data

    async def send(self, frame: str | bytes) -> None:
        """Write a frame. Raises `Gone`."""
        try:
            if isinstance(frame, bytes):
                await self._socket.send_bytes(frame)
            else:
                await self._socket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError):
            raise Gone from None

    async def close(self, code: int, reason: str) -> None:
        """Close it. Raises `Gone`."""
        try:
            await self._socket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            raise Gone from None
