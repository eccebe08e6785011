"""The query that resumes a session: what it must say, and what it may repeat."""

import pytest

from api.resuming import ResumeAsked, check_against_session, parse_resume
from shared.audio.convert import AudioFormat
from shared.errors import BadParameter
from shared.events import SessionConfig
from shared.redis.sessions import Kept

ASKED = ResumeAsked("s", "t", 7)
QUERY = {"session": "s", "token": "t", "after": "7"}
KEPT = Kept(SessionConfig(language="de", words=True), AudioFormat("mulaw", 8000, 2), seq=9)


def test_without_any_of_its_parameters_a_session_is_opened() -> None:
    assert parse_resume({"language": "de"}) is None


def test_all_three_name_what_is_resumed() -> None:
    assert parse_resume(QUERY) == ASKED


@pytest.mark.parametrize("name", QUERY)
def test_two_of_the_three_are_too_few(name: str) -> None:
    with pytest.raises(BadParameter, match="go together"):
        parse_resume({key: value for key, value in QUERY.items() if key != name})


@pytest.mark.parametrize("after", ["", "-1", "1.5", "x", "٣", "9" * 16])
def test_after_is_a_number(after: str) -> None:
    with pytest.raises(BadParameter, match="after"):
        parse_resume(QUERY | {"after": after})


def test_the_session_s_own_parameters_stand() -> None:
    params = check_against_session(QUERY, ASKED, KEPT)
    assert (params.audio, params.config, params.acks) == (KEPT.audio, KEPT.config, False)


def test_they_may_be_repeated_and_acks_chosen_anew() -> None:
    said = {"language": "DE", "words": "1", "sample_rate": "8000", "encoding": "mulaw", "channels": "2"}
    assert check_against_session(QUERY | said | {"acks": "true"}, ASKED, KEPT).acks


@pytest.mark.parametrize(
    ("name", "value"),
    [("language", "en"), ("words", "false"), ("sample_rate", "16000"), ("encoding", "alaw"), ("prompt", "x")],
)
def test_another_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadParameter, match=name):
        check_against_session(QUERY | {name: value}, ASKED, KEPT)


def test_an_unknown_parameter_is_refused_as_ever() -> None:
    with pytest.raises(BadParameter, match="sampel_rate"):
        check_against_session(QUERY | {"sampel_rate": "8000"}, ASKED, KEPT)


def test_events_that_were_never_said_can_t_be_had_already() -> None:
    with pytest.raises(BadParameter, match="only 9"):
        check_against_session(QUERY, ResumeAsked("s", "t", 10), KEPT)
