"""The contract of wire formats: keys go where they belong, and adapters share nothing."""

import asyncio
import os

import pytest

from tollkeeper.contracts.chat_wire_suite import (
    ANOTHER_KEY,
    BOTH,
    KEY,
    Caller,
    ChatWireSuite,
    Opened,
    asking,
)
from tollkeeper.contracts.chat_wire_upstream import Upstream
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.keyed import Keyed

HOSTILE = "wire-contract-key-of-the-environment"
_PROVIDERS = ("OPENAI", "ANTHROPIC", "GROQ", "OPENROUTER", "XAI", "MORPH", "GEMINI", "GOOGLE", "OR")
_KEYS = ("API_KEY", "AUTH_TOKEN", "ADMIN_KEY")
_PLACES = ("API_BASE", "BASE_URL")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
CALLS = 50


def credential(upstream: Upstream, key: str = ANOTHER_KEY, **more: str) -> Credential:
    """Bind *key* to the upstream."""
    place = {"provider": upstream.provider, "base_url": upstream.base_url, **more}
    return Credential(secret=Secret(key), **place)


class ChatWireKeys(ChatWireSuite):
    """Credentials, the environment, and several adapters in one process."""

    async def test_the_adapter_says_where_its_keys_belong(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        chat_model = caller.chat_model
        assert isinstance(chat_model, Keyed)
        assert chat_model.provider == upstream.provider
        assert chat_model.base_url.rstrip("/") == upstream.base_url.rstrip("/")

    @BOTH
    async def test_the_adapters_own_key_is_sent(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        await caller.ask(asking(upstream.echo), streamed=streamed)
        assert upstream.last.key == KEY

    @BOTH
    async def test_a_calls_own_credential_is_sent_for_this_call_alone(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        for given in (credential(upstream), None):
            await caller.ask(asking(upstream.echo), streamed=streamed, credential=given)
        assert [sent.key for sent in upstream.sent] == [ANOTHER_KEY, KEY]
        assert KEY not in repr(upstream.sent[0].headers) + repr(upstream.sent[0].body)

    @BOTH
    async def test_an_adapter_without_a_key_takes_the_calls(
        self, opened: Opened, upstream: Upstream, streamed: bool
    ) -> None:
        caller = Caller(await opened(key=None), upstream.secret_words)
        await caller.ask(asking(upstream.echo), streamed=streamed, credential=credential(upstream))
        assert upstream.last.key == ANOTHER_KEY

    @BOTH
    @pytest.mark.parametrize(
        "elsewhere", [{"provider": "elsewhere"}, {"base_url": "https://elsewhere.example/v1"}]
    )
    async def test_a_credential_of_another_place_is_never_sent(
        self, caller: Caller, upstream: Upstream, elsewhere: dict[str, str], streamed: bool
    ) -> None:
        broken = await caller.fail(
            asking(upstream.echo), streamed=streamed, credential=credential(upstream, **elsewhere)
        )
        assert type(broken.error) is CredentialsRefused
        assert broken.error.code == "credential_bound_elsewhere"
        assert upstream.count == 0

    @BOTH
    async def test_a_refused_credential_is_not_replaced_by_the_adapters_own(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(upstream.play("failing", kind="invalid_key"))
        broken = await caller.fail(request, streamed=streamed, credential=credential(upstream))
        assert type(broken.error) is CredentialsRefused
        assert [sent.key for sent in upstream.sent] == [ANOTHER_KEY]

    async def test_no_representation_shows_a_key(self, caller: Caller, upstream: Upstream) -> None:
        chat_model = caller.chat_model
        await caller.ask(asking(upstream.echo), streamed=True, credential=credential(upstream))
        shown = f"{chat_model!r} {chat_model} {vars(chat_model) if _has_dict(chat_model) else ''}"
        hidden = not any(key in shown for key in (KEY, ANOTHER_KEY))
        assert hidden, "a key is shown"

    @pytest.fixture
    def environment(self, monkeypatch: pytest.MonkeyPatch, nowhere: str) -> dict[str, str]:
        """Fill the environment with keys, places and proxies that must not be used."""
        for provider in _PROVIDERS:
            for name in _KEYS:
                monkeypatch.setenv(f"{provider}_{name}", HOSTILE)
            for name in _PLACES:
                monkeypatch.setenv(f"{provider}_{name}", nowhere)
        for name in _PROXIES:
            monkeypatch.setenv(name, nowhere)
            monkeypatch.setenv(name.lower(), nowhere)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("OPENAI_ORG_ID", HOSTILE)
        monkeypatch.setenv("OPENAI_PROJECT_ID", HOSTILE)
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"x-hostile: {HOSTILE}")
        return _environment()

    @BOTH
    async def test_the_environment_is_neither_read_nor_written(
        self, environment: dict[str, str], opened: Opened, upstream: Upstream, streamed: bool
    ) -> None:
        caller = Caller(await opened(), upstream.secret_words)
        assert (await caller.ask(asking(upstream.echo), streamed=streamed)).text
        assert upstream.last.key == KEY
        assert HOSTILE not in repr(dict(upstream.last.headers)) + repr(upstream.last.body)
        assert _environment() == environment

    @BOTH
    async def test_a_missing_key_is_not_replaced_by_one_of_the_environment(
        self, environment: dict[str, str], opened: Opened, upstream: Upstream, streamed: bool
    ) -> None:
        caller = Caller(await opened(key=None), upstream.secret_words)
        request = asking(upstream.play("failing", kind="no_key"))
        broken = await caller.fail(request, streamed=streamed)
        assert type(broken.error) is CredentialsRefused
        for sent in upstream.sent:
            assert HOSTILE not in repr(dict(sent.headers)) + repr(sent.body) + sent.key
        assert _environment() == environment

    async def test_two_adapters_side_by_side_share_nothing(
        self, opened: Opened, upstream: Upstream
    ) -> None:
        left, right = await opened(key=KEY), await opened(key=ANOTHER_KEY)
        from_left = left.stream(asking(upstream.echo, "alpha alpha alpha"))
        from_right = right.stream(asking(upstream.echo, "omega omega omega"))
        first = await asyncio.gather(anext(from_left), anext(from_right))
        said = [delta.text for delta in first]
        said[0] += "".join([delta.text async for delta in from_left])
        said[1] += "".join([delta.text async for delta in from_right])
        assert said == ["alpha alpha alpha", "omega omega omega"]
        keys = {sent.text[:5]: sent.key for sent in upstream.sent}
        assert keys == {"alpha": KEY, "omega": ANOTHER_KEY}

    async def test_closing_one_adapter_leaves_the_other_open(
        self, opened: Opened, upstream: Upstream
    ) -> None:
        left, right = await opened(), await opened()
        stream = right.stream(asking(upstream.play("steady", gap=0.03)))
        said = (await anext(stream)).text
        assert (await left.complete(asking(upstream.echo))).text
        await left.close()  # type: ignore[attr-defined]
        said += "".join([delta.text async for delta in stream])
        assert said == "one two three"
        assert (await right.complete(asking(upstream.echo))).text

    @BOTH
    async def test_fifty_calls_at_once_get_their_own_answers_with_their_own_keys(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        async def ask(number: int) -> Completion:
            own = credential(upstream, f"{ANOTHER_KEY}-{number:02}") if number % 2 else None
            request = asking(upstream.echo, f"answer number {number:02}")
            return await caller.ask(request, streamed=streamed, credential=own)

        answers = await asyncio.gather(*map(ask, range(CALLS)))
        assert [answer.text for answer in answers] == [
            f"answer number {number:02}" for number in range(CALLS)
        ]
        for sent in upstream.sent:
            number = int(sent.text.rpartition(" ")[2])
            own = f"{ANOTHER_KEY}-{number:02}" if number % 2 else KEY
            assert sent.key == own
        assert upstream.count == CALLS


def _has_dict(thing: object) -> bool:
    return hasattr(thing, "__dict__")


def _environment() -> dict[str, str]:
    # Pytest notes there which test it runs, and in which step.
    return {name: text for name, text in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
