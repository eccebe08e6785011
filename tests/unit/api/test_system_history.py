"""The history of an edge, kept over many looks, says what one look at everything would."""

from hypothesis import given
from hypothesis import strategies as st

from api.system_history import History
from shared.system import HISTORY_S, SLOT_S
from shared.tally import Counts

counts = st.dictionaries(
    st.sampled_from(["w3", "w30", "b1", "b4", "d", "t", "s", "xloop"]), st.integers(1, 9)
)
NOW = 1_000_000


@given(st.lists(counts, min_size=1, max_size=12), st.data())
def test_looks_add_up_to_one_look_at_everything(stretches: list[Counts], data: st.DataObject) -> None:
    begin = NOW - SLOT_S * len(stretches)
    known = {begin + SLOT_S * n: stretch for n, stretch in enumerate(stretches)}
    grown, whole = History(), History()
    for at in known:
        if data.draw(st.booleans()):
            now_s = at + 5.0
            grown.add({a: c for a, c in known.items() if grown.newest <= a <= now_s}, now_s)
    now_s = max(known) + 5.0
    grown.add({a: c for a, c in known.items() if a >= grown.newest}, now_s)
    whole.add(known, now_s)
    assert grown.hour(now_s) == whole.hour(now_s)
    assert grown.minute(now_s) == whole.minute(now_s)
    assert grown.samples(now_s) == whole.samples(now_s)
    assert grown.samples(now_s)[-1].at == grown.newest


def test_it_is_bounded_by_an_hour() -> None:
    history = History()
    for at in range(NOW, NOW + 3 * HISTORY_S, SLOT_S):
        history.add({at: {"b1": 1}}, at + 5.0)
    now_s = float(history.newest + 5)
    assert len(history.samples(now_s)) <= HISTORY_S // SLOT_S + 1
    assert history.hour(now_s).batch_sizes["1"] <= HISTORY_S // SLOT_S + 1


def test_a_clock_that_was_set_back_begins_anew() -> None:
    history = History()
    history.add({NOW: {"b1": 1}}, NOW + 5.0)
    history.add({NOW - 600: {"b1": 2}}, NOW - 595.0)
    assert [sample.at for sample in history.samples(NOW - 595.0)] == [NOW - 600]


def test_nothing_yet() -> None:
    history = History()
    history.add({}, float(NOW))
    assert (history.newest, history.samples(float(NOW))) == (0, ())
    assert history.minute(float(NOW)).words == history.hour(float(NOW)).words == 0
