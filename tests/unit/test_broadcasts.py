"""What waits for a subscriber is bounded, and a gap stands for all that it hides."""

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.broadcasts import BroadcastGap, BroadcastItem, BroadcastMessage, Mailbox

STEPS = st.lists(st.sampled_from(["deliver", "lose", "return", "take"]), max_size=60)


@given(steps=STEPS, backlog=st.integers(1, 5))
def test_whatever_is_missed_is_followed_by_a_gap_and_nothing_is_twice(
    steps: list[str], backlog: int
) -> None:
    box = Mailbox(backlog)
    sent = 0
    taken: list[BroadcastItem] = []
    for step in steps:
        match step:
            case "deliver":
                box.deliver(b"%d" % sent)
                sent += 1
            case "lose":
                box.miss(connected=False)
            case "return":
                box.miss(connected=True)
            case _:
                item = box.take()
                taken += [item] if item is not None else []
        assert len(box._waiting) <= max(backlog, 1)
    while (item := box.take()) is not None:
        taken.append(item)
    heard = [int(item.data) for item in taken if isinstance(item, BroadcastMessage)]
    assert heard == sorted(set(heard))
    # What is missing lies where a gap was taken, between its neighbours.
    following = 0
    gap = False
    for item in taken:
        if isinstance(item, BroadcastGap):
            gap = True
        else:
            number = int(item.data)
            assert number == following or gap
            following, gap = number + 1, False
    assert following == sent or gap
    assert box.generation >= sum(isinstance(item, BroadcastGap) for item in taken)
