"""One request, as litellm writes it: its URL, its headers and its body."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from tollkeeper.adapters.litellm.encoding import add_schema
from tollkeeper.adapters.litellm.quiet import load
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.adapters.wire.headers import checked_headers
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import JsonSchema

_STREAMING = ("stream", "stream_options")


@frozen
class Written:
    """What litellm wrote, and what it wants to know again when it reads the answer."""

    url: str
    headers: Sealed
    data: dict[str, Any] = field(repr=False)
    reading: Mapping[str, Any] = field(repr=False)


@frozen
class Writer:
    """Has *config*, litellm's class for the provider, write *request*.

    *messages* and *params* are the request in the chat-completions format.
    """

    config: Any
    provider: str
    style: Style
    base_url: str
    key: Secret
    request: ChatRequest = field(repr=False)
    messages: list[dict[str, Any]] = field(repr=False)
    params: dict[str, Any] = field(repr=False)

    def write(self) -> Written:
        """Write it; litellm's own exceptions pass."""
        model, stream = self.request.model, bool(self.params.get("stream"))
        optional = self.config.map_openai_params(
            non_default_params=self.params, optional_params={}, model=model, drop_params=False
        )
        fake = bool(optional.pop("fake_stream", False)) or self.config.should_fake_stream(
            model=model, custom_llm_provider=self.provider, stream=stream
        )
        settings: dict[str, Any] = {"api_base": self.base_url}
        reading = {
            "config": self.config,
            "model": model,
            "messages": self.messages,
            "optional_params": optional,
            "litellm_params": settings,
            "json_mode": bool(optional.pop("json_mode", False)),
            "fake": fake,
        }
        if self.style.route == "gemini":
            written = self._for_gemini(optional, settings, reading, stream=stream)
        else:
            written = self._commonly(optional, settings, reading, stream=stream and not fake)
        wanted = self.request.response_format
        if isinstance(wanted, JsonSchema):
            add_schema(written.data, wanted, self.style)
        return written

    def _for_gemini(
        self,
        optional: dict[str, Any],
        settings: dict[str, Any],
        reading: dict[str, Any],
        *,
        stream: bool,
    ) -> Written:
        for name in _STREAMING:
            optional.pop(name, None)
        module: Any = load("litellm.llms.vertex_ai.gemini.transformation")
        data = module.transform_request_body(
            messages=self.messages,
            model=self.request.model,
            custom_llm_provider=self.provider,
            litellm_params=settings,
            cached_content=None,
            optional_params=optional,
        )
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        url = f"{self.base_url}/models/{self.request.model}:{verb}"
        headers = {
            **checked_headers(self.request.quirks.headers),
            "x-goog-api-key": self.key.reveal(),
        }
        return Written(url, Sealed(headers), data, reading)

    def _commonly(
        self,
        optional: dict[str, Any],
        settings: dict[str, Any],
        reading: dict[str, Any],
        *,
        stream: bool,
    ) -> Written:
        if not stream or self.style.route == "anthropic":
            for name in _STREAMING:
                optional.pop(name, None)
        common = {
            "model": self.request.model,
            "optional_params": optional,
            "litellm_params": settings,
        }
        headers = self.config.validate_environment(
            headers=dict(checked_headers(self.request.quirks.headers)),
            messages=self.messages,
            api_key=self.key.reveal(),
            api_base=self.base_url,
            **common,
        )
        if self.style.route == "anthropic":
            url = f"{self.base_url}/v1/messages"
        else:
            url = self.config.get_complete_url(
                api_base=self.base_url, api_key=self.key.reveal(), stream=stream, **common
            )
        data = self.config.transform_request(messages=self.messages, headers=headers, **common)
        data = {**data, **(data.pop("extra_body", None) or {})}
        if stream and self.config.supports_stream_param_in_request_body:
            data["stream"] = True
        headers = {str(name): str(value) for name, value in headers.items()}
        return Written(url, Sealed(headers), data, reading)
