"""What goes out on the wire through litellm, for what a request asks."""

import base64
from typing import Any

import pytest

from tests.adapters.litellm_calls import KEY, asking, model_at, provider_server
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unsupported
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Part,
    ReasoningPart,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.prompt_cache import PromptCache
from tollkeeper.domain.quirks import Quirks
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import JsonSchema, Tool

pytestmark = pytest.mark.anyio

PICTURE = b"\x89PNG-not-really"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = Tool("get_weather", "Tells it.", parameters=SCHEMA)
STRICT = Tool("get_weather", "Tells it.", parameters=SCHEMA, strict=True)


async def sent(provider: str, request: ChatRequest, *, streamed: bool = False) -> dict[str, Any]:
    """Return the body that goes out for *request*."""
    with provider_server(provider) as server:
        async with model_at(server, provider) as model:
            if streamed:
                assert [delta async for delta in model.stream(request)]
            else:
                await model.complete(request)
        return server.last.json


async def refused(provider: str, request: ChatRequest, match: str) -> None:
    """See that *request* is refused, and nothing sent."""
    with provider_server(provider) as server:
        async with model_at(server, provider) as model:
            with pytest.raises(Unsupported, match=match):
                await model.complete(request)
        assert not server.requests


async def test_parameters_have_their_names_in_chat_completions() -> None:
    body = await sent(
        "openai",
        asking(
            temperature=0.5,
            top_p=0.9,
            stop=["x"],
            seed=3,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            service_tier="flex",
            top_logprobs=2,
            extra={"store": False},
        ),
    )
    assert body["temperature"] == 0.5
    assert body["top_p"] == 0.9
    assert body["stop"] == ["x"]
    assert body["seed"] == 3
    assert (body["frequency_penalty"], body["presence_penalty"]) == (0.1, 0.2)
    assert body["service_tier"] == "flex"
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)
    assert body["store"] is False
    assert 64 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert "metadata" not in body
    assert "stream" not in body


@pytest.mark.parametrize("provider", ["openai", "groq", "openrouter", "xai", "morph"])
async def test_a_stream_asks_for_its_usage(provider: str) -> None:
    body = await sent(provider, asking(), streamed=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True} or body["usage"] == {"include": True}


@pytest.mark.parametrize("provider", ["openai", "groq", "openrouter", "xai", "morph"])
async def test_images_and_tools_go_out_as_they_are(provider: str) -> None:
    parts: list[str | Part] = [
        "Look:",
        ImagePart(url="http://host.example/a.png"),
        ImagePart(data=PICTURE),
    ]
    body = await sent(provider, ChatRequest("echo", [user(parts)], 64, tools=[TOOL]))
    data = base64.b64encode(PICTURE).decode()
    assert [part.get("image_url", {}).get("url") for part in body["messages"][0]["content"]] == [
        None,
        "http://host.example/a.png",
        f"data:image/png;base64,{data}",
    ]
    (tool,) = body["tools"]
    assert tool["function"]["parameters"] == SCHEMA
    assert "strict" not in tool["function"]


async def test_strict_tools_are_never_loosened_without_a_word() -> None:
    (tool,) = (await sent("openai", asking(tools=[STRICT])))["tools"]
    assert tool["function"]["strict"] is True
    await refused("xai", asking(tools=[STRICT]), "strict tools")
    with provider_server("xai") as server:
        async with model_at(server, "xai") as model:
            answer = await model.complete(asking(tools=[STRICT], on_unsupported="drop"))
    assert answer.warnings == ("strict_tools was dropped: echo does not take it",)


async def test_a_picture_goes_to_gemini_and_anthropic_as_its_bytes() -> None:
    request = ChatRequest("echo", [user(["Look:", ImagePart(data=PICTURE)])], 64)
    data = base64.b64encode(PICTURE).decode()
    assert data in repr(await sent("gemini", request))
    assert data in repr(await sent("anthropic", request))


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("gemini", "https://host.example/a.png"),
        ("anthropic", "http://host.example/a.png"),
        ("ollama", "https://host.example/a.png"),
    ],
)
async def test_an_address_that_litellm_would_fetch_itself_is_refused(
    provider: str, url: str
) -> None:
    request = ChatRequest("echo", [user([ImagePart(url=url)])], 64)
    with provider_server("openai") as server:
        async with LitellmChatModel(server.base_url, Secret(KEY), provider=provider) as model:
            with pytest.raises(Unsupported, match="as their bytes"):
                await model.complete(request)
        assert not server.requests


async def test_sound_and_files_go_out_as_their_bytes() -> None:
    parts: list[str | Part] = [AudioPart(b"RIFF", "wav"), FilePart("a.pdf", data=b"%PDF")]
    body = await sent("openai", ChatRequest("echo", [user(["Hear:", *parts])], 64))
    sound, file = body["messages"][0]["content"][1:]
    assert sound["input_audio"] == {"data": "UklGRg==", "format": "wav"}
    assert file["file"] == {
        "filename": "a.pdf",
        "file_data": "data:application/pdf;base64,JVBERg==",
    }
    by_address = FilePart("a.pdf", url="https://host.example/a.pdf")
    await refused("openai", ChatRequest("echo", [user([by_address])], 64), "files as their bytes")


async def test_thoughts_go_back_as_each_provider_gave_them() -> None:
    thoughts = [ReasoningPart("Hm.", "c2ln"), ReasoningPart(redacted="aGlkZGVu")]
    said = assistant("Yes.", reasoning=thoughts)
    request = ChatRequest("echo", [user("a"), said, user("b")], 64)
    blocks = (await sent("anthropic", request))["messages"][1]["content"]
    assert blocks[0] == {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    assert blocks[1] == {"type": "redacted_thinking", "data": "aGlkZGVu"}
    details = (await sent("openrouter", request))["messages"][1]["reasoning_details"]
    assert [(one["type"], one["index"]) for one in details] == [
        ("reasoning.text", 0),
        ("reasoning.encrypted", 1),
    ]
    assert "c2ln" not in repr(await sent("groq", request))


async def test_a_signature_goes_back_to_gemini_with_its_call() -> None:
    call = ToolCall("call_0", "get_weather", '{"city": "Bern"}', "c2lnbmVk")
    messages = [user("a"), assistant(tool_calls=[call]), tool_result("call_0", "sunny")]
    request = ChatRequest("echo", messages, 64, tools=[TOOL])
    parts = (await sent("gemini", request))["contents"][1]["parts"]
    assert parts[0]["thoughtSignature"] == "c2lnbmVk"


async def test_how_much_to_think_is_said_as_each_provider_has_it() -> None:
    budget = asking("claude-sonnet-4-5", reasoning_budget=1_024, max_tokens=2_048)
    with provider_server("anthropic") as server:
        server.plays["claude-sonnet-4-5"] = lambda seen: server.play(_renamed(seen))
        async with model_at(server, "anthropic") as model:
            await model.complete(budget)
        assert server.last.json["thinking"]["budget_tokens"] == 1_024
    body = await sent("openrouter", asking(reasoning_budget=32))
    assert body["reasoning"] == {"max_tokens": 32}
    body = await sent("openrouter", asking(reasoning_effort="low"))
    assert body["reasoning"] == {"effort": "low"}


def _renamed(seen: Any) -> Any:
    seen.body = seen.body.replace(b"claude-sonnet-4-5", b"echo")
    return seen


async def test_marks_for_the_prompt_cache_are_set_where_they_are_read() -> None:
    messages = [system("s" * 64), user("u" * 64)]
    request = ChatRequest(
        "anthropic/claude-4/echo",
        messages,
        64,
        prompt_cache=PromptCache(minimum_tokens=1, ttl="1h"),
    )
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = await sent("openrouter", request)
    assert [message["content"][-1]["cache_control"] for message in body["messages"]] == [mark] * 2
    body = await sent("anthropic", request)
    assert body["system"][-1]["cache_control"] == mark
    assert body["messages"][0]["content"][-1]["cache_control"] == mark
    assert "cache_control" not in repr(await sent("openai", request))


async def test_a_schema_goes_where_the_provider_has_it_whatever_litellm_knows() -> None:
    request = asking(response_format=JsonSchema("place", SCHEMA))
    assert (await sent("groq", request))["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (await sent("anthropic", request))["output_config"]["format"]["schema"] == SCHEMA
    config = (await sent("gemini", request))["generationConfig"]
    assert config["response_json_schema"] == SCHEMA
    assert config["response_mime_type"] == "application/json"


async def test_what_the_model_adds_goes_out_and_what_the_request_says_stays() -> None:
    quirks = Quirks(headers={"X-Title": "Tollkeeper"}, extra={"route": "a"})
    with provider_server("openrouter") as server:
        async with model_at(server, "openrouter") as model:
            await model.complete(asking(quirks=quirks, extra={"transforms": []}))
        assert server.last.headers["x-title"] == "Tollkeeper"
        assert "litellm.ai" not in repr(server.last.headers)
        assert (server.last.json["route"], server.last.json["transforms"]) == ("a", [])
    shown = asking(reasoning_effort="low", extra={"reasoning": {"exclude": True}})
    assert (await sent("openrouter", shown))["reasoning"] == {"effort": "low", "exclude": True}
    place = asking(
        response_format=JsonSchema("place", SCHEMA), extra={"output_config": {"effort": "low"}}
    )
    output = (await sent("anthropic", place))["output_config"]
    assert (output["effort"], output["format"]["schema"]) == ("low", SCHEMA)
    for name in ("model", "max_tokens", "generationConfig", "stream"):
        await refused("openai", asking(extra={name: 1}), name)
    key = Quirks(headers={"Authorization": "Bearer another"})
    await refused("openai", asking(quirks=key), "Authorization")


async def test_a_value_that_is_no_json_is_named() -> None:
    with provider_server("openai") as server:
        async with model_at(server, "openai") as model:
            with pytest.raises(InvalidRequest, match="extra"):
                await model.complete(asking(extra={"a": object()}))
        assert not server.requests


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://host/v1", "must read like litellm"),
        ("litellm+https://host/v1?dialect=a", "no option 'dialect'"),
        ("litellm+https://host/v1?provider=", "litellm's own name"),
        ("litellm+https://host/v1?idle_timeout=0", "seconds above 0"),
        ("litellm+https://user:pass@host/v1", "no user"),
        ("litellm+https://host/v1?provider=bedrock", "bedrock"),
    ],
)
def test_a_url_that_cannot_be_right_says_why(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        LitellmChatModel.from_url(url, api_key=Secret(KEY))


def test_a_url_names_the_provider_for_litellm_and_the_settings_name_it_for_keys() -> None:
    url = "litellm+https://api.mistral.ai/v1/?provider=mistral&connections=4&total_timeout=9"
    model = LitellmChatModel.from_url(url, api_key=Secret(KEY), provider="la-plateforme")
    assert (model.provider, model.base_url) == ("la-plateforme", "https://api.mistral.ai/v1")
    assert "mistral" in repr(model)
    assert KEY not in repr(model)
