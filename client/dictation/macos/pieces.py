"""Audio of any length as frames of 20 ms. Pure: the system hands over what it likes, 10 to 400 ms at once."""

from collections.abc import Iterator

from client.dictation.ports import FRAME_BYTES


class Pieces:
    """Cuts a stream of bytes into frames of `FRAME_BYTES`; what does not fill one waits for more."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def put(self, audio: bytes) -> Iterator[bytes]:
        """The frames that are full now, in order."""
        self._rest += audio
        full = len(self._rest) // FRAME_BYTES * FRAME_BYTES
        frames = bytes(self._rest[:full])
        del self._rest[:full]
        for start in range(0, full, FRAME_BYTES):
            yield frames[start : start + FRAME_BYTES]
