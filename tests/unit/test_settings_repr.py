"""What a URL in settings shows of itself."""

import pytest

from tollkeeper.infra.settings_checks import redacted

CANARY = "canary-5f1e"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://", "memory://"),
        ("sqlite:///ledger.db", "sqlite:///ledger.db"),
        (f"x://host/p?sig={CANARY}", "x://host/p?sig=********"),
        (f"x://host/p?mode=ro&auth={CANARY}#part", "x://host/p?mode=********&auth=********#part"),
        (f"x://host/p?a={CANARY}?b={CANARY}", "x://host/p?a=********"),
        (f"x://host/p?a={CANARY}={CANARY}&b", "x://host/p?a=********&********"),
        (f"x://host/p?{CANARY}", "x://host/p?********"),
        (f"x://me:{CANARY}@host/p?a=1", "x://********@host/p?a=********"),
        ("x://host/p?", "x://host/p?"),
    ],
)
def test_every_value_of_a_query_is_masked(url: str, shown: str) -> None:
    assert redacted(url) == repr(shown)
    assert redacted({"name": url}) == f"{{'name': {shown!r}}}"
