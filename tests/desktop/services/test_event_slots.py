"""A list of slots is, after any changes, what a plain sorted list is."""

from __future__ import annotations

import random

from mailnod_desktop.services.event_slots import SlotList


def test_any_changes_leave_it_as_a_sorted_list() -> None:
    """Grown below, given to and taken from anywhere, it holds the same slots in the same rows."""
    pick = random.Random(7)
    for _ in range(60):
        slots, plain = SlotList(), list[int]()
        for _ in range(40):
            action = pick.random()
            if action < 0.3:
                below = sorted((pick.randrange(10**6 - len(plain)) for _ in range(5)), reverse=True)
                below = [one - 10**9 if not plain else min(plain) - 1 - n for n, one in enumerate(below)]
                slots.extend(below)
                plain += below
            elif action < 0.75:
                some = [pick.randrange(-2_000, 3_000) for _ in range(pick.randrange(6))]
                some += pick.sample(plain, min(len(plain), 1))
                for row, run in slots.list_insertions(some):
                    slots.insert(row, run)
                plain = sorted({*plain, *some}, reverse=True)
            else:
                gone = [*pick.sample(plain, min(len(plain), 6)), 10**8]
                for first, last in slots.list_removals(gone):
                    slots.remove(first, last)
                plain = [one for one in plain if one not in gone]
            assert list(slots) == plain
            assert [slots[row] for row in range(len(slots))] == plain
            assert all(slots.find(one) == row and one in slots for row, one in enumerate(plain))
            assert 10**8 not in slots
            assert slots.take(3).tolist() == plain[:3]


def test_neighbours_go_in_and_out_together() -> None:
    """What stands side by side is one run, whichever end it is at."""
    slots = SlotList()
    slots.extend([9, 7, 5])
    assert slots.list_insertions([12, 11, 8, 6, 5]) == [(2, [6]), (1, [8]), (0, [11, 12])]
    for row, run in slots.list_insertions([12, 11, 8, 6]):
        slots.insert(row, run)
    assert list(slots) == [12, 11, 9, 8, 7, 6, 5]
    assert slots.base == 2
    assert slots.list_removals([11, 9, 5, 3]) == [(6, 6), (1, 2)]
    for first, last in slots.list_removals([11, 9, 5]):
        slots.remove(first, last)
    assert list(slots) == [12, 8, 7, 6]
