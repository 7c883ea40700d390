"""The keys of the OpenAI wire: each goes to the one place it is bound to, and is seen nowhere."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.adapters.openai_calls import KEY, asking_for, shows_nothing, streamed
from tests.servers.openai_server import OpenaiServer, openai_server
from tests.servers.wire import FORMATS
from tests.servers.wire_server import WireServer, wire_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.embedder import OpenaiEmbedder
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused, Unsupported
from tollkeeper.domain.quirks import Quirks
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.keyed import Keyed

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def keyed_server() -> Iterator[WireServer]:
    with wire_server(FORMATS["groq"], KEY) as server:
        yield server


def tenants(base_url: str, key: str = KEY, provider: str = "groq") -> Credential:
    return Credential(provider, base_url, Secret(key))


async def test_a_tenants_credential_goes_in_the_place_of_the_adapters_own(
    keyed_server: WireServer,
) -> None:
    base_url = keyed_server.base_url
    async with (
        OpenaiChatModel(base_url, Secret("wrong"), provider="groq") as model,
        OpenaiEmbedder(base_url, provider="groq") as embedder,
    ):
        credential = tenants(base_url)
        assert (await model.complete(asking_for("echo"), credential=credential)).text
        assert [d async for d in model.stream(asking_for("echo"), credential=credential)]
        request = EmbeddingRequest("echo", "Hello")
        assert (await embedder.embed(request, credential=credential)).vectors
        for call in (
            model.complete(asking_for("echo")),
            embedder.embed(request, credential=tenants(base_url, "sk-revoked")),
            embedder.embed(request),
        ):
            with pytest.raises(CredentialsRefused) as raised:
                await call
            assert raised.value.provider_code
    sent = {seen.headers.get("authorization") for seen in keyed_server.requests}
    assert sent == {f"Bearer {KEY}", "Bearer wrong", "Bearer sk-revoked", None}


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [
        ("openai", "{here}"),
        ("groq", "https://api.groq.com/openai/v1"),
        ("groq", "{here}/elsewhere"),
        ("groq", "{here}.example.org"),
    ],
)
async def test_a_credential_that_is_bound_elsewhere_is_never_sent(
    keyed_server: WireServer, provider: str, base_url: str
) -> None:
    here = keyed_server.base_url
    keyed_server.requests.clear()
    credential = tenants(base_url.format(here=here), provider=provider)
    async with (
        OpenaiChatModel(here, Secret("own"), provider="groq", connections=1) as model,
        OpenaiEmbedder(here, Secret("own"), provider="groq") as embedder,
    ):
        for _ in range(2):  # a place that was taken and kept would be missed
            for port, call in (
                ("chat_model", model.complete(asking_for("echo"), credential=credential)),
                ("chat_model", anext(model.stream(asking_for("echo"), credential=credential))),
                (
                    "embedder",
                    embedder.embed(EmbeddingRequest("echo", "x"), credential=credential),
                ),
            ):
                with pytest.raises(CredentialsRefused) as raised:
                    await call
                assert raised.value.code == "credential_bound_elsewhere"
                assert (raised.value.port, raised.value.adapter) == (port, "openai")
                assert not raised.value.ambiguous
                shows_nothing(raised.value)
    assert keyed_server.requests == []


async def test_a_slash_at_the_end_is_no_other_place(keyed_server: WireServer) -> None:
    here = keyed_server.base_url
    async with OpenaiChatModel(f"{here}/", provider="groq") as model:
        assert model.base_url == here
        for credential in (tenants(here), tenants(f"{here}/")):
            assert (await model.complete(asking_for("echo"), credential=credential)).text


async def test_calls_with_keys_of_their_own_never_mix(server: OpenaiServer) -> None:
    async with OpenaiChatModel(server.base_url, Secret("own")) as model:

        async def call(number: int) -> None:
            key = Credential("openai", server.base_url, Secret(f"sk-{number}"))
            request = asking_for("echo", f"number {number}")
            if number % 2:
                await model.complete(request, credential=key)
            else:
                async for _ in model.stream(request, credential=key):
                    await asyncio.sleep(0)

        await asyncio.gather(*map(call, range(60)))
        await model.complete(asking_for("echo", "number own"))
    assert len(server.requests) == 61
    for seen in server.requests:
        said = seen.json["messages"][0]["content"].removeprefix("number ")
        expected = said if said == "own" else f"sk-{said}"
        assert seen.headers["authorization"] == f"Bearer {expected}"


async def test_no_report_of_a_failure_shows_a_tenants_key() -> None:
    with openai_server() as gone:
        base_url = gone.base_url
    credential = Credential("openai", base_url, Secret(KEY))
    async with OpenaiChatModel(base_url) as model, OpenaiEmbedder(base_url) as embedder:
        for call in (
            model.complete(asking_for("echo"), credential=credential),
            embedder.embed(EmbeddingRequest("m", "x"), credential=credential),
        ):
            with pytest.raises(Exception, match="cannot be reached") as raised:
                await call
            shows_nothing(raised.value)


def test_an_adapter_says_where_its_credentials_belong() -> None:
    for adapter in (
        OpenaiChatModel("https://api.x.ai/v1/", provider="xai"),
        OpenaiEmbedder.from_url("openai+https://api.x.ai/v1/", provider="xai"),
    ):
        assert isinstance(adapter, Keyed)
        assert (adapter.provider, adapter.base_url) == ("xai", "https://api.x.ai/v1")
        assert adapter.dialect == "xai"
    assert OpenaiChatModel("https://host/v1").provider == "openai"
    for kind in (OpenaiChatModel, OpenaiEmbedder):
        with pytest.raises(ConfigurationError, match="name"):
            kind("https://host/v1", provider=" ")


async def test_the_headers_of_a_models_quirks_go_out_and_spare_the_key(
    server: OpenaiServer,
) -> None:
    quirks = Quirks(headers={"X-Beta": "on"})
    async with OpenaiChatModel(server.base_url, Secret(KEY)) as model:
        await model.complete(asking_for("echo", quirks=quirks))
        assert server.last.headers["x-beta"] == "on"
        assert server.last.headers["authorization"] == f"Bearer {KEY}"
        sent = len(server.requests)
        for name in ("Authorization", "Host", "Content-Type"):
            with pytest.raises(Unsupported, match=name):
                await model.complete(asking_for("echo", quirks=Quirks(headers={name: "x"})))
        assert len(server.requests) == sent


async def test_a_warning_of_what_was_dropped_comes_with_the_answer(server: OpenaiServer) -> None:
    request = asking_for("echo", metadata={"job": "7"}, on_unsupported="drop")
    async with OpenaiChatModel(server.base_url) as model:
        for answer in (await model.complete(request), await streamed(model, request)):
            assert answer.warnings == ("metadata was dropped: echo does not take it",)
            assert "metadata" not in server.last.json
        first = await anext(model.stream(request))
        assert first.warnings
