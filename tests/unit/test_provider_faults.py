"""A provider's own words decide what its fault means, and nothing shows them."""

import pickle
from datetime import timedelta

from tests.canary import assert_no_trace
from tollkeeper.adapters.wire.faults import ProviderFault, decode_fault

KEY = "sk-canary-0123456789abcdef"


def test_nothing_shows_what_a_provider_said() -> None:
    """It may repeat the whole key (T23)."""
    fault = decode_fault(b'{"error": {"message": "wrong key: %s"}}' % KEY.encode(), status=401)
    assert KEY in fault.text
    assert_no_trace([KEY], fault, [fault], vars(fault))


def test_a_pickled_fault_keeps_all_but_the_words() -> None:
    fault = ProviderFault(
        status=429, kind="a", code="b", text=KEY, reason="c", moderated=True,
        wait=timedelta(seconds=2),
    )  # fmt: skip
    again = pickle.loads(pickle.dumps(fault))
    assert again.text == ""
    assert (again.status, again.kind, again.code, again.reason, again.moderated, again.wait) == (
        *(429, "a", "b", "c", True),
        timedelta(seconds=2),
    )
