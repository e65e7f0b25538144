"""A failed chunk goes to others before it comes back, and who fails again and again gets no more."""

from __future__ import annotations

from vs_interp.jobs.failures import STRIKES, Failures


def test_a_failed_chunk_goes_to_another_worker_and_back_if_all_failed() -> None:
    failures = Failures(retries=2)
    assert failures.add(7, "a", "full disk")
    assert not failures.may_make(7, "a", {"a", "b"}) and failures.may_make(7, "b", {"a", "b"})
    assert failures.may_make(7, "a", {"a"}), "there is no other any more"
    assert failures.add(7, "b", "out of memory")
    assert failures.may_make(7, "a", {"a", "b"}) and failures.may_make(7, "b", {"a", "b"})
    assert not failures.final()
    assert not failures.add(7, "a", "full disk"), "the third failure was the second retry's"
    assert failures.final() == {7: ("a", "full disk")}


def test_only_failures_in_a_row_of_different_chunks_count_against_a_worker() -> None:
    failures = Failures(retries=9)
    assert [failures.strike("a", 1) for _ in range(2 * STRIKES)] == [False] * 2 * STRIKES
    failures.forgive("a")
    assert [failures.strike("a", number) for number in range(STRIKES)] == [False] * (STRIKES - 1) + [True]
