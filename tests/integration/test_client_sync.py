"""The client without `async` does what the async one does; here what is its own: threads."""

import threading

import pytest

from client import BadParameter, ConnectionLost, StreamOptions
from client.sync import Jobs, connect
from shared.events import Error
from tests.support.wire import READY, Talk, partial, plain_session, speaking


def test_one_thread_sends_while_another_reads() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        for number in range(10):
            talk.hear()
            talk.say(partial(f"heard {number}"))
        talk.hear_until("end")
        talk.closed()

    with speaking(script) as server, connect(server.url) as session:
        answered = threading.Semaphore(1)

        def send_all() -> None:
            for _ in range(10):
                answered.acquire()
                session.send(b"\0" * 640)
            answered.acquire()
            session.end()

        sender = threading.Thread(target=send_all)
        sender.start()
        numbers: list[int] = []
        for event in session:
            numbers.append(session.last_seq)
            if event.type == "partial":
                answered.release()
        sender.join()
        assert numbers == list(range(1, 13))
        assert session.transcript.text == "heard 9"
        assert session.ready == READY


def test_the_same_messages_go_to_the_server() -> None:
    with speaking(plain_session) as server:
        with connect(server.url, options=StreamOptions(sample_rate=8000)) as session:
            session.send(b"\0\0")
            session.finalize()
            session.end()
            assert [event.type for event in session][-1] == "closed"
        talk = server.last()
    assert talk.query == {"sample_rate": "8000", "acks": "true"}
    assert talk.heard == [b"\0\0", {"type": "finalize"}, {"type": "end"}]


def test_errors_come_as_themselves() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY, Error(code="bad_parameter", message="no"))
        talk.socket.close(1008)

    with speaking(script) as server, connect(server.url) as session, pytest.raises(BadParameter):
        list(session)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with speaking(plain_session) as server:
        with pytest.raises(KeyError), connect(server.url):
            raise KeyError
        server.last()
    with pytest.raises(ConnectionLost), Jobs("http://127.0.0.1:9") as jobs:
        jobs.status("j1")
    assert threading.active_count() == before


def test_jobs_are_used_in_a_with_statement() -> None:
    with pytest.raises(RuntimeError, match="with"):
        Jobs().status("j1")
