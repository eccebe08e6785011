"""A session that is over is gone, without Python's collector of cycles."""

import gc
import weakref
from typing import cast

from api.live_session import Attachment, Session
from api.quota import Meter
from shared.redis.sessions import CANONICAL, NEW, SessionLog


def test_a_session_that_was_broken_off_does_not_hold_itself() -> None:
    attachment = Attachment(session="s", token="t", audio=CANONICAL, attached=NEW)
    session = Session(attachment, cast(SessionLog, None), queue_s=1.0, resume_s=1.0, meter=cast(Meter, None))
    there = weakref.ref(session)
    session.break_off(TimeoutError())
    gc.disable()
    try:
        del session
        assert there() is None
    finally:
        gc.enable()
