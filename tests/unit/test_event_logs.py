"""What logs of events take, and what their ids say."""

from datetime import timedelta

import pytest

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.event_logs import (
    EventId,
    EventsLost,
    LoggedEvent,
    LogLimits,
    SlowSubscriber,
    lost_events,
    read_event_id,
)


@pytest.mark.parametrize(
    "limits",
    [
        *({"length": 0}, {"length": 100_001}, {"length": True}, {"length": 1.0}),
        *({"age": timedelta(0)}, {"age": timedelta(days=31)}, {"age": 60}),
    ],
    ids=str,
)
def test_limits_that_are_not_sound_are_refused(limits: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        LogLimits(**limits)  # type: ignore[arg-type]
    assert refused.value.code == "invalid_log_limits"


@pytest.mark.parametrize("there", [EventId("a", 0, 0), EventId("9z9z9z9z9z9z9", 10**15, 10**15)])
def test_an_id_is_read_as_it_was_written(there: EventId) -> None:
    assert read_event_id(str(there)) == there


def test_what_is_lost_is_said_with_where_to_resume() -> None:
    lost = lost_events(EventId("a", 1, 2))
    assert (lost.code, lost.oldest) == ("events_lost", "a-1-2")
    assert lost_events(None).oldest is None
    assert isinstance(lost, EventsLost)
    assert SlowSubscriber("slow", after="a-1-2").after == "a-1-2"


def test_an_event_does_not_show_its_data() -> None:
    assert "secret" not in repr(LoggedEvent("a-1-1", 1, b"secret"))
