"""The system's identifiers keep their contract, sort by time, and survive a fork."""

import re
import subprocess
import sys
import time

import pytest

from tollkeeper.adapters.system.identifiers import SystemIdentifiers
from tollkeeper.contracts.identifiers import IdentifiersContract


class TestSystemIdentifiers(IdentifiersContract):
    @pytest.fixture
    def identifiers(self) -> SystemIdentifiers:
        return SystemIdentifiers()

    @pytest.fixture
    def other_identifiers(self) -> SystemIdentifiers:
        return SystemIdentifiers()


def test_an_identifier_is_its_kind_and_26_crockford_characters() -> None:
    for _ in range(1000):
        assert re.fullmatch(r"hold_[0-9a-hjkmnp-tv-z]{26}", SystemIdentifiers().new("hold"))


def test_identifiers_sort_by_the_millisecond() -> None:
    identifiers = SystemIdentifiers()
    made = []
    for _ in range(20):
        made.append(identifiers.new("hold"))
        time.sleep(0.002)
    assert made == sorted(made)


def test_the_time_can_be_read_back() -> None:
    before = time.time_ns() // 1_000_000
    written = SystemIdentifiers().new("hold").removeprefix("hold_")[:10]
    value = 0
    for character in written:
        value = value * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(character)
    assert before <= value <= time.time_ns() // 1_000_000


FORKS = """
import os, sys
from tollkeeper.adapters.system.identifiers import SystemIdentifiers

identifiers = SystemIdentifiers()
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        children = []
        break
    children.append(child)
made = [identifiers.new("hold") for _ in range(1000)]
os.write(1, "".join(f"{name}\\n" for name in made).encode())
os.write(1, f"{identifiers.random_bytes(16).hex()}\\n".encode())
for child in children:
    os.waitpid(child, 0)
"""


def test_forked_processes_share_none() -> None:
    run = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    made = run.stdout.split()
    assert len(made) == 5 * 1001
    assert len(set(made)) == len(made)
