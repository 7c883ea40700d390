"""What all suites share."""

import uuid
from datetime import UTC, datetime

import pytest


class Contract:
    """A suite of tests that every adapter of one port passes.

    Subclass it under a name that starts with ``Test`` and provide the fixtures it names. The
    suites leave other accounts alone, and their clock stands in the year 2001, so that they may
    run against a live store: what they write there is under accounts named ``contract-…``.
    """

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Run on asyncio."""
        return "asyncio"

    @pytest.fixture
    def account(self) -> str:
        """Name an account that nobody used before."""
        return f"contract-{uuid.uuid4().hex}"

    @pytest.fixture
    def now(self) -> datetime:
        """Tell the suite's time; tests move it by adding to it."""
        return datetime(2001, 1, 1, 12, tzinfo=UTC)

    def test_contract_is_whole(self) -> None:
        """No test of the suite is replaced, except by one marked ``xfail`` with a reason."""
        mro = type(self).__mro__
        for position, cls in enumerate(mro):
            for name, member in vars(cls).items():
                if not name.startswith("test_") or not any(
                    name in vars(c) for c in mro[position + 1 :]
                ):
                    continue
                marks = getattr(member, "pytestmark", [])
                excused = any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
                assert excused, f"{cls.__name__}.{name} replaces a test of the contract"
