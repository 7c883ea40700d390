"""Fixtures of all tests."""

import os

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ("tests.conformance",)
pytest.register_assert_rewrite("tests.servers")


def pytest_xdist_auto_num_workers() -> int:
    """Run two workers for each processor: tests of faults and deadlines mostly wait."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"
