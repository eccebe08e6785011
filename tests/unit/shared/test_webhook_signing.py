"""Webhooks are signed as Standard Webhooks says."""

import json

import pytest

from shared.errors import BadParameter
from shared.jobs import JobRecord
from shared.webhooks import body_of, check_secret, headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_the_specification_s_libraries() -> None:
    made = headers(check_secret(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert made["webhook-timestamp"] == "1614265330"


@pytest.mark.parametrize("secret", ["", "whsec_c2hvcnQ=", "password", "whsec_!!!!", "whsec_" + "A" * 99])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(BadParameter, match="STENO_WEBHOOK_SECRET"):
        check_secret(secret)


def test_the_body_describes_the_job() -> None:
    record = JobRecord(id="j", status="finished", progress=1.0, name="a.mp3")
    assert json.loads(body_of(record, "2026-01-02T03:04:05Z")) == {
        "type": "job.finished",
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"id": "j", "status": "finished", "progress": 1.0, "name": "a.mp3"},
    }
