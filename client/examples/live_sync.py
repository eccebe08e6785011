"""Live without async, two threads: python -m client.examples.live_sync talk.raw (16 kHz mono pcm16)"""

import sys
import threading
from pathlib import Path

from client import Final
from client.sync import LiveSession, connect


def send(session: LiveSession, path: str) -> None:
    with Path(path).open("rb") as audio:
        while chunk := audio.read(3200):
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
