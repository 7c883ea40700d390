"""The wire formats of the providers, written from their public references.

No code is shared with the adapters that are tested against them.
"""

from collections.abc import Mapping

from tests.servers.wire.answer import Answer, Call, Json, Pools
from tests.servers.wire.anthropic_format import AnthropicFormat
from tests.servers.wire.chat_dialects import DIALECTS
from tests.servers.wire.chat_format import OpenaiFormat
from tests.servers.wire.format import SECRET_WORDS, ErrorAnswer, Kind, WireFormat
from tests.servers.wire.gemini_format import GeminiFormat

__all__ = [
    "FORMATS",
    "SECRET_WORDS",
    "Answer",
    "AnthropicFormat",
    "Call",
    "ErrorAnswer",
    "GeminiFormat",
    "Json",
    "Kind",
    "OpenaiFormat",
    "Pools",
    "WireFormat",
]

FORMATS: Mapping[str, WireFormat] = {
    **{name: OpenaiFormat(dialect) for name, dialect in DIALECTS.items()},
    "anthropic": AnthropicFormat(),
    "gemini-native": GeminiFormat(),
}
"""Each format by the name of its provider."""
