"""What sets the servers of the chat-completions format apart: data, one entry for each dialect.

Written from the providers' references:
https://platform.openai.com/docs/api-reference/chat (openai),
https://console.groq.com/docs/openai and /docs/reasoning (groq),
https://openrouter.ai/docs/api-reference/overview and /docs/use-cases/reasoning-tokens (openrouter),
https://docs.x.ai/docs/api-reference (xai), https://docs.morphllm.com/api-reference (morph),
https://ai.google.dev/gemini-api/docs/openai (gemini).
"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.quirks import Quirks

MaxTokensField = Literal["max_tokens", "max_completion_tokens"]
MAX_TOKENS_FIELDS: tuple[MaxTokensField, ...] = ("max_tokens", "max_completion_tokens")


@frozen
class Dialect:
    """One server's way with the format; what models differ in is the catalogue's to say.

    *quirks* name what the server takes of no model. *reasoning* says how thinking is asked for:
    with ``reasoning_effort`` alone; ``groq`` wants it in a field of its own too; ``openrouter``
    has an object for it; ``gemini`` takes a budget in an extension. *thoughts* is the field in
    which the model's earlier thoughts go back to it: none if empty.
    """

    name: str
    quirks: Quirks
    max_tokens_field: MaxTokensField = "max_tokens"
    reasoning: Literal["effort", "groq", "openrouter", "gemini"] = "effort"
    thoughts: Literal["", "reasoning_details", "reasoning_content"] = ""
    reports_usage_by: Literal["stream_options", "usage"] = "stream_options"
    ends_with_done: bool = True
    """A stream is whole with ``[DONE]`` alone; else the reason why it ended is enough.

    All six providers end every stream with it, so its absence is a stream that was cut. Among
    the compatible servers some leave it out.
    """
    marks_cache: bool = False
    """Prefixes to keep are marked, for the models that want it; elsewhere they are kept unasked."""
    signs_calls: bool = False
    """Tool calls bear a signature that must come back with them."""
    stores_for_metadata: bool = False
    """Metadata goes to stored answers only, and to store them is the caller's to decide."""
    file_urls: bool = False
    """A file may be given by its address."""
    audio_formats: tuple[str, ...] = ("wav", "mp3")


OPENAI = Dialect(
    "openai",
    Quirks(unsupported=["reasoning_budget"]),
    max_tokens_field="max_completion_tokens",
    stores_for_metadata=True,
)
GROQ = Dialect(
    "groq",
    Quirks(
        unsupported=[
            "audio",
            "files",
            "frequency_penalty",
            "metadata",
            "presence_penalty",
            "reasoning_budget",
            "top_logprobs",
        ],
        efforts=["none", "low", "medium", "high"],
    ),
    max_tokens_field="max_completion_tokens",
    reasoning="groq",
)
OPENROUTER = Dialect(
    "openrouter",
    Quirks(
        unsupported=["metadata"],
        efforts=["none", "minimal", "low", "medium", "high", "xhigh"],
    ),
    reasoning="openrouter",
    thoughts="reasoning_details",
    reports_usage_by="usage",
    marks_cache=True,
    file_urls=True,
    audio_formats=("wav", "mp3", "flac", "ogg", "m4a"),
)
XAI = Dialect(
    "xai",
    Quirks(
        unsupported=[
            "audio",
            "files",
            "metadata",
            "reasoning_budget",
            "service_tier",
            "strict_tools",
        ],
        efforts=["none", "low", "medium", "high", "xhigh"],
    ),
    max_tokens_field="max_completion_tokens",
    thoughts="reasoning_content",
)
MORPH = Dialect(
    "morph",
    Quirks(
        unsupported=["audio", "files", "metadata", "reasoning_budget", "service_tier", "user"],
    ),
)
GEMINI = Dialect(
    "gemini",
    Quirks(
        unsupported=[
            "files",
            "frequency_penalty",
            "metadata",
            "presence_penalty",
            "seed",
            "strict_tools",
            "top_logprobs",
            "user",
        ],
        efforts=["none", "minimal", "low", "medium", "high"],
    ),
    reasoning="gemini",
    signs_calls=True,
    audio_formats=("wav", "mp3", "flac", "ogg"),
)
COMPATIBLE = Dialect(
    "compatible",
    Quirks(unsupported=["metadata", "reasoning_budget"]),
    thoughts="reasoning_content",
    ends_with_done=False,
    audio_formats=("wav", "mp3", "flac", "ogg", "m4a", "webm"),
)
"""Ollama, vLLM, LM Studio, llama.cpp, and whoever else speaks the format."""

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (OPENAI, GROQ, OPENROUTER, XAI, MORPH, GEMINI, COMPATIBLE)
}
_HOSTS: Mapping[str, Dialect] = {
    "api.openai.com": OPENAI,
    "api.groq.com": GROQ,
    "openrouter.ai": OPENROUTER,
    "api.x.ai": XAI,
    "api.morphllm.com": MORPH,
    "generativelanguage.googleapis.com": GEMINI,
}


def dialect_for(base_url: str, *, provider: str | None = None, named: str | None = None) -> Dialect:
    """Choose the dialect: as it is *named*, else by the host, else by the *provider*'s name.

    Who is none of these is taken for a compatible server.

    Raises:
        ConfigurationError: no dialect is called *named*.
    """
    if named is not None:
        if named not in DIALECTS:
            known = ", ".join(DIALECTS)
            raise ConfigurationError(f"there is no dialect {named!r}; there are {known}")
        return DIALECTS[named]
    by_host = _HOSTS.get(urlsplit(base_url).hostname or "")
    return by_host or DIALECTS.get(provider or "", COMPATIBLE)
