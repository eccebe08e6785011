"""What NSURLSession does, as far as our code depends on it: WebSockets, here over the library `websockets`,
each with a thread that calls handlers as the system's threads do."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

if TYPE_CHECKING:
    from tests.support.pyobjc.mac import FakeMac


class Line:
    """One connection. Sends and pings happen in their order; receiving has a thread of its own."""

    def __init__(self) -> None:
        self.pools = [ThreadPoolExecutor(1, thread_name_prefix="urlsession") for _ in range(2)]
        self.socket: Any = None
        self.response: Any = None
        self.is_waiting = False
        self.close_code = 0
        self.close_reason: bytes | None = None

    def do(self, function: Callable[[], Any], done: Callable[[Any, bool], None], *, pool: int = 0) -> None:
        """Call `function`, then `done` with its result and whether it failed."""

        def run() -> None:
            try:
                result = function()
            except (ConnectionClosed, InvalidHandshake, OSError, AttributeError) as error:
                if isinstance(error, ConnectionClosed) and error.rcvd is not None:
                    self.close_code, self.close_reason = error.rcvd.code, error.rcvd.reason.encode()
                done(None, True)
            else:
                done(result, False)

        def watched() -> None:
            try:
                run()
            except BaseException as error:  # noqa: BLE001 - the pool would keep it to itself
                threading.excepthook(
                    threading.ExceptHookArgs(
                        (type(error), error, error.__traceback__, threading.current_thread())
                    )
                )

        self.pools[pool].submit(watched)

    def end(self) -> None:
        """Close it at once."""
        socket = self.socket
        if socket is not None:
            threading.Thread(target=socket.close).start()
        for pool in self.pools:
            pool.shutdown(wait=False)


def network_behaviours(mac: "FakeMac") -> dict[str, Any]:
    """By class."""
    runtime = mac.runtime

    def failed(is_failed: bool) -> Any:
        return runtime.make("NSError", code=-1011) if is_failed else None

    class Configuration:
        def ephemeralSessionConfiguration(cls: Any) -> Any:
            return runtime.make("NSURLSessionConfiguration")

    class Request:
        def requestWithURL_(cls: Any, url: Any) -> Any:
            return runtime.make("NSMutableURLRequest", url=url.state.text, headers={})

        def setValue_forHTTPHeaderField_(self: Any, value: str, name: str) -> None:
            self.state.headers[name] = value

    class Session:
        lines: list[Line] = []

        def sessionWithConfiguration_(cls: Any, _configuration: Any) -> Any:
            return runtime.make("NSURLSession", line=Line())

        def webSocketTaskWithRequest_(self: Any, request: Any) -> Any:
            Session.lines.append(self.state.line)
            return runtime.make("NSURLSessionWebSocketTask", line=self.state.line, request=request)

        def invalidateAndCancel(self: Any) -> None:
            self.state.line.end()

        def finishTasksAndInvalidate(self: Any) -> None:
            self.state.line.end()

    class Task:
        def resume(self: Any) -> None:
            line, request = self.state.line, self.state.request.state

            def open_it() -> None:
                try:
                    opening = connect(request.url, additional_headers=request.headers, compression=None)
                    line.socket = opening.__enter__()
                except InvalidStatus as refusal:
                    line.response = refusal.response
                    raise

            line.do(open_it, lambda _result, _failed: None)

        def sendPingWithPongReceiveHandler_(self: Any, handler: Any) -> None:
            line = self.state.line
            line.do(lambda: line.socket.ping().wait(10), lambda _result, bad: handler(failed(bad)))

        def sendMessage_completionHandler_(self: Any, message: Any, handler: Any) -> None:
            line, state = self.state.line, message.state
            content = state.string if state.string is not None else state.data
            line.do(lambda: line.socket.send(content), lambda _result, bad: handler(failed(bad)))

        def receiveMessageWithCompletionHandler_(self: Any, handler: Any) -> None:
            line = self.state.line
            assert not line.is_waiting, "messages would come in any order"
            line.is_waiting = True

            def came(content: Any, bad: bool) -> None:
                line.is_waiting = False
                handler(None if bad else message_of(content), failed(bad))

            line.do(lambda: line.socket.recv(), came, pool=1)

        def cancel(self: Any) -> None:
            pass

        def cancelWithCloseCode_reason_(self: Any, code: int, _reason: Any) -> None:
            assert code == 1000

        def closeCode(self: Any) -> int:
            return self.state.line.close_code

        def closeReason(self: Any) -> Any:
            return self.state.line.close_reason

        def response(self: Any) -> Any:
            response = self.state.line.response
            return None if response is None else runtime.make("NSHTTPURLResponse", response=response)

    class Response:
        def statusCode(self: Any) -> int:
            return self.state.response.status_code

        def valueForHTTPHeaderField_(self: Any, name: str) -> Any:
            return self.state.response.headers.get(name)

    class Message:
        def initWithString_(self: Any, text: str) -> Any:
            self.state.string, self.state.data = text, None
            return self

        def initWithData_(self: Any, data: bytes) -> Any:
            self.state.string, self.state.data = None, data
            return self

    def message_of(content: Any) -> Any:
        is_text = isinstance(content, str)
        return runtime.make(
            "NSURLSessionWebSocketMessage",
            string=content if is_text else None,
            data=None if is_text else content,
        )

    return {
        "NSURLSessionConfiguration": Configuration,
        "NSMutableURLRequest": Request,
        "NSURLSession": Session,
        "NSURLSessionWebSocketTask": Task,
        "NSURLSessionWebSocketMessage": Message,
        "NSHTTPURLResponse": Response,
    }
