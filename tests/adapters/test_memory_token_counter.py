"""The counter of words keeps the contract of a token counter."""

import pytest

from tollkeeper.adapters.memory.token_counter import MemoryTokenCounter
from tollkeeper.contracts.token_counter import TokenCounterContract


class TestMemoryTokenCounter(TokenCounterContract):
    @pytest.fixture
    def token_counter(self) -> MemoryTokenCounter:
        return MemoryTokenCounter()

    @pytest.fixture
    def model(self) -> str:
        return "memory/any"


def test_words_are_tokens_of_the_models_of_one_provider() -> None:
    counter = MemoryTokenCounter("offline")
    assert counter.count("one  two\nthree", model="offline/echo") == 3
    assert counter.count("one", model="memory/echo") is None
