"""The connection to the server by way of `URLSessionWebSocketTask`: it goes through the proxies of System
Settings and trusts what the keychain trusts. Otherwise the default transport does the same on all systems."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from client.dictation.macos.frameworks import Frameworks
from client.errors import from_response, unanswered
from client.sockets import MESSAGE_BYTES_MAX, Dial, Socket, SocketClosed, public
from shared.errors import Unauthorized

_NORMAL: Final = 1000
_LOST: Final = 1006
_CLOSE_S_MAX: Final = 5.0
_SWITCHED: Final = 101
"""HTTP status of a WebSocket that was opened."""


def url_session_dial(mac: Frameworks) -> Dial:
    """Opens connections in this way: for `connect(dial=…)`."""

    async def dial(address: str, headers: Mapping[str, str] | None) -> Socket:
        return await _open(mac, address, headers or {})

    return dial


async def _open(mac: Frameworks, address: str, headers: Mapping[str, str]) -> Socket:
    foundation = mac.foundation
    request = foundation.NSMutableURLRequest.requestWithURL_(foundation.NSURL.URLWithString_(address))
    for name, value in headers.items():
        request.setValue_forHTTPHeaderField_(value, name)
    configuration = foundation.NSURLSessionConfiguration.ephemeralSessionConfiguration()
    session = foundation.NSURLSession.sessionWithConfiguration_(configuration)
    task = session.webSocketTaskWithRequest_(request)
    task.setMaximumMessageSize_(MESSAGE_BYTES_MAX)
    task.resume()
    socket = _Socket(mac, session, task)
    try:
        error = await socket.ping()  # it is open once that is answered; a refusal is the ping's error
    except BaseException:
        socket.abort()
        raise
    if error is not None:
        socket.abort()
        raise _refusal(task, public(address))
    return socket


def _refusal(task: Any, server: str) -> Exception:
    response = task.response()
    status = _SWITCHED if response is None else response.statusCode()
    if response is None or status == _SWITCHED:
        return unanswered(server, "no connection")
    # The system keeps the body of a refusal to itself, so its status must do.
    if status in (401, 403):
        return Unauthorized(f"{server} does not accept the API key (HTTP {status})")
    retry_after = response.valueForHTTPHeaderField_("Retry-After")
    return from_response(status, b"", retry_after=retry_after)


class _Socket:
    """`Socket` over a task. Its handlers are called on a thread of the system's."""

    def __init__(self, mac: Frameworks, session: Any, task: Any) -> None:
        self._mac = mac
        self._session = session
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._receiving: asyncio.Future[tuple[Any, Any]] | None = None
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """See `Socket`."""
        return self._is_open

    async def ping(self) -> Any:
        """Wait until the server has answered. Returns what went wrong."""
        answer: asyncio.Future[Any] = self._loop.create_future()

        def answered(error: Any) -> None:
            self._hand_over(answer, error)

        self._task.sendPingWithPongReceiveHandler_(answered)
        return await answer

    async def send(self, message: bytes | str) -> None:
        """See `Socket`."""
        if not self._is_open:
            raise self._closed()
        sent: asyncio.Future[Any] = self._loop.create_future()

        def done(error: Any) -> None:
            self._hand_over(sent, error)

        maker = self._mac.foundation.NSURLSessionWebSocketMessage.alloc()
        made = maker.initWithString_(message) if isinstance(message, str) else maker.initWithData_(message)
        self._task.sendMessage_completionHandler_(made, done)
        if await sent is not None:
            raise self._closed()

    async def receive(self) -> bytes | str:
        """See `Socket`."""
        if not self._is_open:
            raise self._closed()
        if self._receiving is None:
            self._receiving = self._ask()
        # Shielded, so that a message that comes after a cancellation is for the next call.
        message, error = await asyncio.shield(self._receiving)
        self._receiving = None
        if error is not None or message is None:
            raise self._closed()
        text = message.string()
        return bytes(message.data()) if text is None else str(text)

    def _ask(self) -> "asyncio.Future[tuple[Any, Any]]":
        """A handler is for one message."""
        received: asyncio.Future[tuple[Any, Any]] = self._loop.create_future()

        def came(message: Any, error: Any) -> None:
            self._hand_over(received, (message, error))

        self._task.receiveMessageWithCompletionHandler_(came)
        return received

    def abort(self) -> None:
        """See `Socket`."""
        self._is_open = False
        self._task.cancel()
        self._session.invalidateAndCancel()

    async def close(self) -> None:
        """See `Socket`."""
        if not self._is_open:
            return
        self._is_open = False
        self._task.cancelWithCloseCode_reason_(_NORMAL, None)
        self._session.finishTasksAndInvalidate()
        if self._receiving is not None:  # it fails when the connection has ended
            await asyncio.wait([self._receiving], timeout=_CLOSE_S_MAX)
            self._receiving = None

    def _closed(self) -> SocketClosed:
        self._is_open = False
        code = self._task.closeCode()  # 0 where no close frame has come
        reason = self._task.closeReason()
        self._session.invalidateAndCancel()
        return SocketClosed(code or _LOST, bytes(reason).decode("utf-8", "replace") if reason else "")

    def _hand_over(self, future: "asyncio.Future[Any]", result: Any) -> None:
        def settle() -> None:
            if not future.done():
                future.set_result(result)

        self._call(settle)

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(function)
