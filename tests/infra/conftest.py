"""Fixtures of the tests of the outermost ring."""

from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run commands in a folder of the test's own."""
    return Cli(tmp_path)
