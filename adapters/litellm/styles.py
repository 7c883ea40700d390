"""How the request of a provider of litellm's is made and its answer read, beyond the common way.

Most providers of litellm's have one class that writes the request and reads the answer, and speak
the chat-completions format or something like it. Data, and no import of litellm.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError

Route = Literal["common", "anthropic", "gemini"]
Thoughts = Literal["", "thinking_blocks", "reasoning_details", "reasoning_content", "gemini"]
Schema = Literal["", "response_format", "output_config", "generationConfig"]


@frozen
class Style:
    """What is special about a provider of litellm's.

    *route* says how its URL and its stream are made. *thoughts* names the way in which it wants
    its reasoning back. *marks_cache* says that it takes marks for its prompt cache. *image_urls*
    says that it is given an image's URL as it is: litellm would fetch it for others. *last_line*
    is found in the last line of a stream; where it is empty, a stream is whole with its reason.
    """

    route: Route = "common"
    thoughts: Thoughts = ""
    marks_cache: bool = False
    image_urls: bool = True
    last_line: str = ""
    signs_calls: bool = False
    unsupported: frozenset[str] = frozenset()
    """What litellm leaves out, or changes the question for, without a word."""
    schema: Schema = ""
    """Where a schema for the answer goes that litellm would make a tool of, or a prompt."""
    reasoning_object: bool = False
    """Takes how much to think as ``reasoning``, by effort or by budget."""


_DONE = "[DONE]"
_PLAIN = Style()
_ENDS = Style(last_line=_DONE)
_STYLES: Mapping[str, Style] = {
    "anthropic": Style(
        route="anthropic",
        thoughts="thinking_blocks",
        marks_cache=True,
        last_line='"message_stop"',
        unsupported=frozenset({"json"}),
        schema="output_config",
    ),
    "gemini": Style(
        route="gemini",
        thoughts="gemini",
        image_urls=False,
        signs_calls=True,
        unsupported=frozenset({"parallel_tool_calls"}),
        schema="generationConfig",
    ),
    "openrouter": Style(
        thoughts="reasoning_details", marks_cache=True, last_line=_DONE, reasoning_object=True
    ),
    "deepseek": Style(thoughts="reasoning_content", last_line=_DONE),
    "moonshot": Style(thoughts="reasoning_content", last_line=_DONE),
    "ollama": Style(image_urls=False),
    "ollama_chat": Style(image_urls=False),
    "cohere": Style(image_urls=False),
    "cohere_chat": Style(image_urls=False),
    "groq": Style(last_line=_DONE, schema="response_format"),
    **dict.fromkeys(("openai", "xai", "morph", "mistral", "fireworks_ai", "together_ai"), _ENDS),
}

_KEYS_OF_ITS_OWN = frozenset(
    {
        "bedrock",
        "bedrock_mantle",
        "chatgpt",
        "codex",
        "gigachat",
        "github_copilot",
        "microsoft_365_copilot",
        "oci",
        "sagemaker",
        "sagemaker_chat",
        "sagemaker_nova",
        "sap",
        "vertex_ai",
        "vertex_ai_beta",
        "watsonx",
        "watsonx_text",
    }
)


def style_of(litellm_provider: str) -> Style:
    """Return what is special about *litellm_provider*.

    Raises:
        ConfigurationError: litellm signs its requests with more than one key, or logs in to get it.
    """
    if litellm_provider in _KEYS_OF_ITS_OWN:
        raise ConfigurationError(
            f"litellm logs in to {litellm_provider} by itself, with what it finds in the "
            "environment; a key that is bound to one base URL does not reach it this way"
        )
    return _STYLES.get(litellm_provider, _PLAIN)
