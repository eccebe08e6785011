"""What a server does: python -m client.examples.watch"""

import sys

from client.sync import Watch


def main(url: str = "http://127.0.0.1:8000") -> None:
    with Watch(url) as watch:
        system = watch.look()
        for session in system.sessions:
            print(session.id, session.state, f"{session.lag_s:.1f} s behind")
        if fleet := system.fleet:  # for operators
            print(
                f"{fleet.sessions} of {fleet.capacity} sessions, 95 % of words within",
                fleet.minute.word_p95_s,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
