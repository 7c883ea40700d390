"""The counter of OpenAI's tokens keeps the contract, and counts as tiktoken does."""

import json
import os
import random
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollkeeper.adapters.bpe_openai.token_counter import BpeOpenaiTokenCounter
from tollkeeper.contracts.token_counter import A_JOINT, LONG, TEXTS, TokenCounterContract
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.ports.health import HealthCheck

ROOT = Path(__file__).parents[2]
NEW, OLD = "openai/gpt-4o", "openai/gpt-4"
COUNTER = BpeOpenaiTokenCounter()
MODELS = st.sampled_from([NEW, OLD])
# Texts of one kind of sign, and of all kinds mixed: pieces are cut where the kind changes.
SIGNS = [
    "a",
    "Z",
    "é",
    "\u0301",
    "日",
    "1",
    "٣",
    " ",
    "\t",
    "\n",
    "\r",
    ".",
    "'",
    "/",
    "🚀",
    "\0",
    "\u00a0",
]
CHUNKS = st.lists(
    st.tuples(st.sampled_from(SIGNS), st.integers(1, 40)).map(lambda pair: pair[0] * pair[1])
).map("".join)
ANY_TEXT = st.text() | CHUNKS


def count(text: str, model: str) -> int:
    tokens = COUNTER.count(text, model=model)
    assert tokens is not None
    return tokens


class TestBpeOpenaiTokenCounter(TokenCounterContract):
    @pytest.fixture
    def token_counter(self) -> BpeOpenaiTokenCounter:
        return BpeOpenaiTokenCounter.from_url("bpe-openai://")

    @pytest.fixture
    def model(self) -> str:
        return NEW


class TestBpeOpenaiTokenCounterOfOlderModels(TokenCounterContract):
    @pytest.fixture
    def token_counter(self) -> BpeOpenaiTokenCounter:
        return BpeOpenaiTokenCounter()

    @pytest.fixture
    def model(self) -> str:
        return OLD


@given(ANY_TEXT, MODELS)
@example("", NEW)
@example("<|endoftext|>", OLD)
def test_any_text_is_counted_and_has_no_more_tokens_than_bytes(text: str, model: str) -> None:
    assert (text != "") <= count(text, model) <= len(text.encode())


@given(ANY_TEXT, ANY_TEXT, MODELS)
def test_a_joint_makes_few_tokens(one: str, other: str, model: str) -> None:
    assert count(one + other, model) <= count(one, model) + count(other, model) + A_JOINT


@given(st.text(st.characters()))
def test_half_a_surrogate_pair_disturbs_nobody(text: str) -> None:
    replaced = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert count(text, NEW) == count(replaced, NEW)


def test_pieces_of_a_pair_are_counted_as_what_they_make() -> None:
    assert count("\ud83d\ude80", NEW) == count("🚀", NEW)
    assert count("a\ud83d", NEW) == count("a\ufffd", NEW)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "gpt-4o",
            "gpt-4o-mini-2024-07-18",
            "chatgpt-4o-latest",
            "gpt-4.1-nano",
            "gpt-4.5-preview",
        ),
        *("gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.2-pro", "gpt-oss-120b"),
        *("o1", "o1-preview", "o3-pro", "o4-mini", "ft:gpt-4o-2024-08-06:acme::1"),
    ],
)
def test_newer_models_have_the_newer_tokenizer(name: str) -> None:
    text = "日本語のテキスト"
    assert count(text, f"openai/{name}") == count(text, NEW) != count(text, OLD)


@pytest.mark.parametrize(
    "name",
    [
        *("gpt-4", "gpt-4-0613", "gpt-4-turbo", "gpt-4-32k", "gpt-3.5-turbo", "gpt-3.5-turbo-16k"),
        *("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"),
        "ft:gpt-3.5-turbo-0125:acme::1",
    ],
)
def test_older_models_have_the_older_tokenizer(name: str) -> None:
    text = "日本語のテキスト"
    assert count(text, f"openai/{name}") == count(text, OLD) != count(text, NEW)


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-4o", "groq/gpt-oss-120b", "openrouter/openai/gpt-4o", "azure/gpt-4o"),
        *("openai/gpt-6", "openai/gpt-50", "openai/gpt-4ox", "openai/o10", "openai/davinci-002"),
        *("openai/whisper-1", "openai/omni-moderation", "openai/xgpt-4o", "OPENAI/gpt-4o"),
    ],
)
def test_what_was_never_published_is_not_guessed(model: str) -> None:
    assert COUNTER.count("Hello", model=model) is None


COUNT_BY_TIKTOKEN = """
import json, sys, tiktoken
for name in ("o200k_base", "cl100k_base"):
    encoding = tiktoken.get_encoding(name)
    texts = json.load(open(sys.argv[1]))
    print(json.dumps([len(encoding.encode_ordinary(text)) for text in texts]))
"""


def corpus() -> list[str]:
    """Texts of many kinds: prose, code, data, and signs thrown together."""
    dice = random.Random(2001)
    files = [*ROOT.glob("docs/*.md"), *ROOT.glob("domain/*.py"), ROOT / "pyproject.toml"]
    wild = ["".join(dice.choices(SIGNS, k=dice.randrange(1, 60))) for _ in range(3000)]
    runs = ["".join(s * dice.randrange(1, 9) for s in dice.sample(SIGNS, 5)) for _ in range(3000)]
    planes = ["".join(chr(dice.randrange(0xD800)) for _ in range(40)) for _ in range(500)]
    long = [piece * 2000 for piece in LONG]
    return [*TEXTS, *(file.read_text("utf-8") for file in files), *wild, *runs, *planes, *long]


def test_counts_are_those_of_tiktoken(tmp_path: Path) -> None:
    """Its vocabularies come with litellm; it checks their hashes, and asks no network for them."""
    litellm = find_spec("litellm")
    assert litellm is not None
    assert litellm.origin is not None
    vocabularies = tmp_path / "vocabularies"
    shutil.copytree(Path(litellm.origin).parent / "litellm_core_utils/tokenizers", vocabularies)
    texts = corpus()
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    told = subprocess.run(
        [sys.executable, "-c", COUNT_BY_TIKTOKEN, str(tmp_path / "texts.json")],
        env={**os.environ, "TIKTOKEN_CACHE_DIR": str(vocabularies)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for model, line in zip((NEW, OLD), told, strict=True):
        ours = [count(text, model) for text in texts]
        different = [
            (text[:60], mine, theirs)
            for text, mine, theirs in zip(texts, ours, json.loads(line), strict=True)
            if mine != theirs
        ]
        assert different == []


@pytest.mark.anyio
async def test_opening_it_loads_what_counting_needs() -> None:
    async with BpeOpenaiTokenCounter.from_url("bpe-openai://") as counter:
        assert counter.count("Hello", model=NEW) == 1
        assert isinstance(counter, HealthCheck)
        assert await counter.health() == "o200k_base, cl100k_base"


def test_the_package_is_loaded_at_the_first_count_alone() -> None:
    said = in_a_process(
        """
        import sys
        from tollkeeper.adapters.bpe_openai.token_counter import BpeOpenaiTokenCounter
        counter = BpeOpenaiTokenCounter.from_url("bpe-openai://")
        counter.count("Hello", model="groq/llama")
        print("bpe_openai._bindings" in sys.modules)
        counter.count("Hello", model="openai/gpt-4o")
        print("bpe_openai._bindings" in sys.modules, "bpe_openai" in sys.modules)
        """
    )
    assert said.split() == ["False", "True", "False"]


def test_a_host_may_use_the_package_too() -> None:
    said = in_a_process(
        """
        from tollkeeper.adapters.bpe_openai.token_counter import BpeOpenaiTokenCounter
        counter = BpeOpenaiTokenCounter()
        print(counter.count("Hello, world", model="openai/gpt-4o"))
        import bpe_openai
        print(len(bpe_openai.get_encoding("o200k_base").encode("Hello, world")))
        print(BpeOpenaiTokenCounter().count("Hello, world", model="openai/gpt-4o"))
        """
    )
    assert said.split() == ["3", "3", "3"]


def test_a_missing_package_is_named_with_its_remedy() -> None:
    said = in_a_process(
        """
        import sys
        from tollkeeper.adapters.bpe_openai.token_counter import BpeOpenaiTokenCounter
        from tollkeeper.domain.errors import ConfigurationError
        sys.path = [path for path in sys.path if not path.endswith("site-packages")]
        counter = BpeOpenaiTokenCounter()
        for use in (
            lambda: BpeOpenaiTokenCounter.from_url("bpe-openai://"),
            lambda: counter.count("Hello", model="openai/gpt-4o"),
        ):
            try:
                use()
            except ConfigurationError as error:
                print(error.code, error.public_message)
        """
    )
    line = (
        "extra_missing token_counter: bpe-openai is not installed, or not for this machine; "
        "run: pip install -U 'tollkeeper[bpe-openai]'\n"
    )
    assert said == line * 2


def in_a_process(source: str) -> str:
    command = [sys.executable, "-c", dedent(source)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "url", ["bpe-openai:", "bpe-openai://gpt-4", "bpe://", "bpe-openai://?a=b"]
)
def test_url_says_no_more_than_its_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write bpe-openai://"):
        BpeOpenaiTokenCounter.from_url(url)
