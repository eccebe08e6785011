"""Live without async, on two threads: python -m client.examples.live_sync talk.flac"""

import sys
import threading

from client import Final
from client.sync import LiveSession, connect, media_file


def send(session: LiveSession, path: str) -> None:
    for chunk in media_file(path):  # or microphone()
        session.send(chunk)
    session.end()


def main(path: str, url: str = "http://127.0.0.1:8000") -> None:
    with connect(url) as session:
        threading.Thread(target=send, args=(session, path)).start()
        for event in session:
            if isinstance(event, Final):
                print(event.text)


if __name__ == "__main__":
    main(*sys.argv[1:])
