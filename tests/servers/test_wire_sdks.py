"""The SDKs of OpenAI and Anthropic read what the servers write, over real HTTP."""

import base64
import http.client
import json
import struct
from typing import Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from tests.servers.wire import FORMATS, Json, scenarios, sse
from tests.servers.wire.echo import PLACE
from tests.servers.wire_server import wire_server

KEY = "key-right"
CHAT = [name for name in FORMATS if name not in ("anthropic", "gemini-native")]
ASKS_USAGE: Json = {"stream_options": {"include_usage": True}}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}


@pytest.mark.parametrize("provider", CHAT)
def test_the_openai_sdk_reads_each_dialect(provider: str) -> None:
    with wire_server(FORMATS[provider], KEY) as server:
        turn: Any = {"role": "user", "content": "Say one two"}
        asks: Any = {"model": "echo", "messages": [turn]}
        with openai.OpenAI(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
            whole = client.chat.completions.create(**asks)
            assert whole.choices[0].message.content == "Say one two"
            assert whole.usage is not None
            assert whole.usage.total_tokens == 6
            called = client.chat.completions.create(**asks, tools=[TOOL], tool_choice="required")
            (call,) = called.choices[0].message.tool_calls or []
            assert call.type == "function"
            assert json.loads(call.function.arguments) == {"city": PLACE}
            said, totals, arguments = "", [], ""
            calls: Any = {"tools": [TOOL], "tool_choice": "required"}
            for extra in (Json(), calls):
                chunks = client.chat.completions.create(
                    **{**asks, **extra, **ASKS_USAGE}, stream=True
                )
                for chunk in chunks:
                    delta = chunk.choices[0].delta if chunk.choices else None
                    said += (delta and delta.content) or ""
                    for piece in (delta and delta.tool_calls) or ():
                        assert piece.function is not None
                        arguments += piece.function.arguments or ""
                    totals += [chunk.usage.total_tokens] if chunk.usage else []
            assert (said, json.loads(arguments)) == ("Say one two", {"city": PLACE})
            assert totals[-1] == 8
            with pytest.raises(openai.APIStatusError) as refused:
                client.chat.completions.create(**{**asks, "model": "none"})
            assert refused.value.status_code == server.format.error(kind="unknown_model").status
            assert client.models.list().data[0].id == "echo"
            packed = client.embeddings.create(model="echo", input=["a", "b"], dimensions=3)
            assert [len(one.embedding) for one in packed.data] == [3, 3]


def test_the_anthropic_sdk_reads_the_format() -> None:
    with wire_server(FORMATS["anthropic"], KEY) as server:
        turn: Any = {"role": "user", "content": "Say one two"}
        asks: Any = {"model": "echo", "messages": [turn], "max_tokens": 2_048}
        tool = {"name": "get_weather", "input_schema": WEATHER}
        calls: Any = {"tools": [tool], "tool_choice": {"type": "any"}}
        thinks: Any = {"thinking": {"type": "enabled", "budget_tokens": 1_024}}
        with anthropic.Anthropic(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
            whole = client.messages.create(**asks, **thinks)
            assert [block.type for block in whole.content] == ["thinking", "text"]
            assert whole.usage.output_tokens == 6
            for more in (Json(), calls, thinks):
                with client.messages.stream(**asks, **more) as stream:
                    streamed = stream.get_final_message()
                whole = client.messages.create(**asks, **more)
                assert [b.model_dump() for b in streamed.content] == [
                    b.model_dump() for b in whole.content
                ]
                assert streamed.stop_reason == whole.stop_reason
                assert streamed.usage.output_tokens == whole.usage.output_tokens
            with pytest.raises(anthropic.NotFoundError):
                client.messages.create(**{**asks, "model": "none"})
            server.script("busy", scenarios.error_inside())
            with (
                pytest.raises(anthropic.APIStatusError) as failed,
                client.messages.stream(**{**asks, "model": "busy"}) as stream,
            ):
                stream.get_final_message()
            assert failed.value.type == "overloaded_error"
            assert client.models.list().data[0].id == "echo"


def test_broken_rules_are_refused_with_400() -> None:
    with wire_server(FORMATS["anthropic"]) as server:
        asks: Any = {"model": "echo", "max_tokens": 64}
        with anthropic.Anthropic(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
            for messages in (
                [],
                [{"role": "assistant", "content": "Hi"}],
                [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}],
            ):
                with pytest.raises(anthropic.BadRequestError):
                    client.messages.create(**{**asks, "messages": messages})
    with wire_server(FORMATS["openai"]) as server:
        result: Any = {"role": "tool", "tool_call_id": "x", "content": "sunny"}
        with (
            openai.OpenAI(api_key=KEY, base_url=server.base_url, max_retries=0) as client2,
            pytest.raises(openai.BadRequestError),
        ):
            client2.chat.completions.create(model="echo", messages=[result])


def test_embeddings_depend_on_the_text_alone() -> None:
    with wire_server(FORMATS["openai"]) as server:
        with openai.OpenAI(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
            plain, packed = (
                client.embeddings.create(model="echo", input="a", encoding_format=encoding)
                for encoding in ("float", "base64")
            )
        unpacked = struct.unpack("<64f", base64.b64decode(str(packed.data[0].embedding)))
        assert unpacked == pytest.approx(plain.data[0].embedding)
    with wire_server(FORMATS["gemini-native"]) as server:
        connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc)
        content = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 3}
        for verb, body in (
            ("embedContent", content),
            ("batchEmbedContents", {"requests": [content]}),
        ):
            connection.request("POST", f"/v1beta/models/echo:{verb}", sse.body_of(body))
            found = json.loads(connection.getresponse().read())
            vector = found.get("embedding") or found["embeddings"][0]
            assert len(vector["values"]) == 3
        connection.close()
