"""The contract of :class:`tollkeeper.ports.token_counter.TokenCounter`."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import ODD_TEXT
from tollkeeper.ports.token_counter import TokenCounter

SPECIAL = (
    "<|endoftext|>",
    "<|endofprompt|>",
    "<|fim_prefix|>",
    "<|im_start|>",
    "<|start|>",
    "[INST]",
    "<s>",
)
TEXTS = (
    "Hello, world",
    "The quick brown fox jumps over the lazy dog. " * 20,
    ODD_TEXT,
    "日本語のテキスト、そして 한국어",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\0\x01\x7f\u200b\ufeff\uffff\U0010ffff",
    "مرحبا بالعالم",
    "e\u0301" * 50,
    "1234567890" * 10,
    "\r\n\t \u2028\u00a0" * 10,
    'def f(x):\n    return {"a": [1, 2.5e-3, None]}\n' * 5,
    *SPECIAL,
)
LONG = (" ", "a", "\n", "1", "é", "ab ", "<|endoftext|>", "🚀")
A_JOINT = 8
"""How many tokens two texts may gain where they are joined."""


class TokenCounterContract(Contract):
    """What every token counter promises.

    Fixtures: ``token_counter``; ``model``, the name (``provider/name``) of one that it knows.
    """

    def test_nothing_has_no_tokens(self, token_counter: TokenCounter, model: str) -> None:
        assert token_counter.count("", model=model) == 0

    @pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
    def test_a_text_has_at_most_as_many_tokens_as_bytes(
        self, token_counter: TokenCounter, model: str, text: str
    ) -> None:
        count = token_counter.count(text, model=model)
        assert type(count) is int
        assert 0 <= count <= len(text.encode())

    def test_words_are_counted(self, token_counter: TokenCounter, model: str) -> None:
        counts = [token_counter.count("word " * n, model=model) for n in (1, 10, 100)]
        assert None not in counts
        assert counts[0] != 0
        assert counts == sorted({count or 0 for count in counts})

    def test_a_text_has_the_same_count_each_time(
        self, token_counter: TokenCounter, model: str
    ) -> None:
        first = [token_counter.count(text, model=model) for text in TEXTS]
        again = [token_counter.count(text, model=model) for text in reversed(TEXTS)]
        assert first == again[::-1]

    @pytest.mark.parametrize("special", SPECIAL)
    def test_a_special_token_counts_as_text(
        self, token_counter: TokenCounter, model: str, special: str
    ) -> None:
        without = token_counter.count("before and after", model=model)
        among = token_counter.count(f"before {special} and after", model=model)
        assert without is not None
        assert among is not None
        assert among > without

    @pytest.mark.parametrize("unknown", ["contract/unknown", "unknown", "", "/", "openai/"])
    def test_an_unknown_model_is_told_from_a_text_of_nothing(
        self, token_counter: TokenCounter, unknown: str
    ) -> None:
        for text in ("", "Hello"):
            assert token_counter.count(text, model=unknown) is None

    def test_joined_texts_have_hardly_more_tokens_than_the_two(
        self, token_counter: TokenCounter, model: str
    ) -> None:
        for one, other in product(TEXTS, TEXTS):
            parts = [token_counter.count(text, model=model) or 0 for text in (one, other)]
            joined = token_counter.count(one + other, model=model)
            assert joined is not None
            assert joined <= sum(parts) + A_JOINT

    @pytest.mark.parametrize("piece", LONG, ids=ascii)
    def test_a_long_text_is_counted(
        self, token_counter: TokenCounter, model: str, piece: str
    ) -> None:
        text = piece * (1_200_000 // len(piece))
        count = token_counter.count(text, model=model)
        assert count is not None
        assert 0 <= count <= len(text.encode())

    def test_threads_count_at_once(self, token_counter: TokenCounter, model: str) -> None:
        alone = [token_counter.count(text, model=model) for text in TEXTS]
        with ThreadPoolExecutor(8) as pool:
            counted = pool.map(lambda text: token_counter.count(text, model=model), TEXTS * 8)
            assert list(counted) == alone * 8
