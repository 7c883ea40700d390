"""litellm's translation for one provider: requests written, answers read, nothing sent.

litellm's own transport would take keys from the environment and retry, share connections between
keys, hand every call to whatever callbacks the process has, and invent a usage. Its translation
does none of that: it is called with everything that it needs, and gives back what is to be sent.
"""

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from tollkeeper.adapters.litellm.encoding import encode_params, extra_body, fitted
from tollkeeper.adapters.litellm.faults import LitellmFault, corrupt
from tollkeeper.adapters.litellm.known import known_provider
from tollkeeper.adapters.litellm.mending import mended
from tollkeeper.adapters.litellm.messages import encode_messages
from tollkeeper.adapters.litellm.outgoing import Outgoing, encode_json, refused
from tollkeeper.adapters.litellm.quiet import load, quietly
from tollkeeper.adapters.litellm.rehearsal import REHEARSAL, SCORES, recited, run_at_once
from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.adapters.litellm.unlogged import Unlogged
from tollkeeper.adapters.litellm.writing import Writer
from tollkeeper.adapters.wire.extras import laid_over
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import ConfigurationError, TollkeeperError
from tollkeeper.domain.quirks import Quirks, adapt
from tollkeeper.domain.secret import Secret


class Translation:
    """litellm's classes for *litellm_provider*, imported when this is made.

    Raises:
        ConfigurationError: litellm is not installed, or does not know the provider.
    """

    def __init__(self, litellm_provider: str, style: Style, base_url: str) -> None:
        self.provider = litellm_provider
        self.style = style
        self._base_url = base_url
        self._known = known_provider(litellm_provider)
        self._litellm: Any = load("litellm")
        self._utils: Any = load("litellm.utils")
        self._httpx: Any = importlib.import_module("httpx")
        self._rehearse()

    def _rehearse(self) -> None:
        """Go through one call, so that litellm imports now what it needs for it.

        With a real one it would do so in the midst of a stream, where nothing can be undone. A
        provider with a stream of its own may not follow; what all streams are made of is read
        by the common way too.
        """
        with quietly(f"{self.provider} rehearsal"):
            common: Any = load("litellm.llms.openai.chat.gpt_transformation")
            self._recite(
                common.OpenAIChatCompletionStreamingHandler(
                    recited(SCORES["common"]), sync_stream=False
                ).__aiter__()
            )
            with suppress(TollkeeperError):
                outgoing = self.prepare(REHEARSAL, key=Secret("rehearsal"), stream=True)
                self._recite(self.chunks(outgoing, recited(SCORES[self.style.route])))

    def _recite(self, chunks: AsyncIterator[Any]) -> None:
        for _ in range(4):
            run_at_once(self.next_chunk(chunks))

    def prepare(self, request: ChatRequest, *, key: Secret, stream: bool) -> Outgoing:
        """Write *request*, with *key*.

        Raises:
            Unsupported: a parameter is not taken, or litellm cannot write the request.
            InvalidRequest: a value in it is no JSON, or its text is no Unicode.
            ConfigurationError: litellm has no translation for the provider's chat models.
        """
        fault: Exception
        try:
            with quietly(f"{self.provider} request"):
                config = self._config(request.model)
                supported = frozenset(config.get_supported_openai_params(model=request.model))
                request, warnings = fitted(request, self.style, supported)
                params = encode_params(request, self.style, supported, stream=stream)
                extra = extra_body(request, self.style)
                messages = encode_messages(request, self.style)
                written = self._writer(config, request, messages, params, key).write()
        except TollkeeperError:
            raise
        except Exception as error:
            fault = refused(error, self.provider)
        else:
            body = encode_json(laid_over(written.data, extra))
            if any(tool.strict for tool in request.tools) and b'"strict":true' not in body:
                warnings += adapt(request, Quirks(unsupported=["strict_tools"]))[1]
            outgoing = Outgoing(
                written.url,
                written.headers,
                body,
                stream and not written.reading["fake"],
                warnings,
                written.reading,
            )
            outgoing.check(self._base_url, key, self.provider)
            return outgoing
        raise fault  # outside the except, so that what holds the key is not its context

    def _writer(
        self,
        config: Any,
        request: ChatRequest,
        messages: list[dict[str, Any]],
        params: dict[str, Any],
        key: Secret,
    ) -> Writer:
        return Writer(
            config, self.provider, self.style, self._base_url, key, request, messages, params
        )

    def _config(self, model: str) -> Any:
        manager = self._utils.ProviderConfigManager
        config = manager.get_provider_chat_config(model=model, provider=self._known)
        if config is None or config.has_custom_stream_wrapper:
            raise ConfigurationError(
                f"litellm reaches the chat models of {self.provider} with a transport of its own; "
                "this adapter cannot use it"
            )
        return config

    def whole(self, outgoing: Outgoing, found: Mapping[str, Any]) -> Any:
        """Let litellm read *found*, a whole answer; return its ``ModelResponse``.

        Raises:
            CorruptResponse: it cannot.
        """
        reading = outgoing.reading
        found = mended(found, self.provider)
        try:
            with quietly(f"{self.provider} answer"):
                response = self._httpx.Response(
                    200,
                    content=encode_json(found),
                    headers={"content-type": "application/json"},
                    request=self._httpx.Request("POST", self._base_url),
                )
                return reading["config"].transform_response(
                    model=reading["model"],
                    raw_response=response,
                    model_response=self._litellm.ModelResponse(),
                    logging_obj=Unlogged(),
                    request_data={},
                    messages=reading["messages"],
                    optional_params=reading["optional_params"],
                    litellm_params=reading["litellm_params"],
                    encoding=None,
                    api_key="",
                    json_mode=reading["json_mode"],
                )
        except Exception as error:
            fault = unreadable(error)
        raise fault

    def chunks(self, outgoing: Outgoing, lines: AsyncIterator[str]) -> AsyncIterator[Any]:
        """Let litellm read the *lines* of a streamed answer, one chunk after the other."""
        reading = outgoing.reading
        with quietly(f"{self.provider} stream"):
            if self.style.route == "gemini":
                module = load("litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini")
                found = module.ModelResponseIterator(
                    lines, sync_stream=False, logging_obj=Unlogged()
                )
            elif self.style.route == "anthropic":
                module = load("litellm.llms.anthropic.chat.handler")
                found = module.ModelResponseIterator(
                    lines, sync_stream=False, json_mode=reading["json_mode"]
                )
            else:
                found = reading["config"].get_model_response_iterator(
                    streaming_response=lines, sync_stream=False, json_mode=reading["json_mode"]
                )
            if found is None:
                raise ConfigurationError(
                    f"litellm does not read streams of {self.provider} without its own transport"
                )
            chunks: AsyncIterator[Any] = found.__aiter__()
            return chunks

    async def next_chunk(self, chunks: AsyncIterator[Any]) -> tuple[Any] | None:
        """Return the next of *chunks*, or None after the last.

        Raises:
            CorruptResponse: litellm cannot read it.
        """
        try:
            with quietly():
                return (await anext(chunks),)
        except StopAsyncIteration:
            return None
        except TollkeeperError:
            raise
        except Exception as error:
            fault = unreadable(error)
        raise fault


def unreadable(error: Exception) -> Exception:
    """Make the error for an answer that litellm cannot read."""
    fault = corrupt("the provider's answer is not in the format that litellm reads")
    fault.__cause__ = LitellmFault(error)
    return fault
