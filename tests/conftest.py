"""Fixtures of all tests."""

import pytest

pytest_plugins = ("tests.conformance",)
pytest.register_assert_rewrite("tests.servers")


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"
