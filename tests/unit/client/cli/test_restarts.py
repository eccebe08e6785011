"""When a child that ended is started again."""

from client.cli.restarts import REFUSED_STATUS, RestartPolicy, Restarts

POLICY = RestartPolicy(first_s=1.0, max_s=5.0, steady_s=10.0, failures_max=3)


def test_delays_double_up_to_the_most() -> None:
    restarts = Restarts(POLICY)
    delays = [restarts.after(1, ran_s=0.1, was_ready=True) for _ in range(5)]
    assert delays == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_steady_run_makes_the_delay_short_again() -> None:
    restarts = Restarts(POLICY)
    for _ in range(4):
        restarts.after(1, ran_s=0.1, was_ready=True)
    assert restarts.after(-9, ran_s=10.0, was_ready=True) == 1.0


def test_before_all_was_ready_a_child_that_keeps_failing_is_given_up() -> None:
    restarts = Restarts(POLICY)
    delays = [restarts.after(1, ran_s=0.1, was_ready=False) for _ in range(3)]
    assert delays == [1.0, 2.0, None]


def test_a_child_that_refuses_its_settings_is_given_up_at_once() -> None:
    assert Restarts(POLICY).after(REFUSED_STATUS, ran_s=0.1, was_ready=False) is None


def test_once_all_was_ready_nothing_is_given_up() -> None:
    restarts = Restarts(POLICY)
    delays = [restarts.after(REFUSED_STATUS, ran_s=0.1, was_ready=True) for _ in range(2_000)]
    assert None not in delays


def test_a_process_that_ended_by_its_own_wish_is_started_at_once_and_is_no_failure() -> None:
    restarts = Restarts(POLICY)
    for _ in range(POLICY.failures_max + 1):
        assert restarts.after(0, ran_s=POLICY.steady_s, was_ready=False) == 0.0


def test_one_that_ends_so_again_and_again_is_held_back() -> None:
    restarts = Restarts(POLICY)
    delays = [restarts.after(0, ran_s=0.1, was_ready=True) for _ in range(3)]
    assert delays == sorted(set(delays))
