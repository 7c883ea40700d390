"""The errors of each provider, as it documents or sends them."""

from collections.abc import Mapping

from tests.servers.wire.errors.google import GEMINI
from tests.servers.wire.errors.groq import GROQ
from tests.servers.wire.errors.morph import MORPH
from tests.servers.wire.errors.openai import OPENAI
from tests.servers.wire.errors.openrouter import OPENROUTER
from tests.servers.wire.errors.table import ErrorTable
from tests.servers.wire.errors.xai import XAI

__all__ = ["CHAT_ERRORS"]

CHAT_ERRORS: Mapping[str, ErrorTable] = {
    "openai": OPENAI,
    "groq": GROQ,
    "openrouter": OPENROUTER,
    "xai": XAI,
    "morph": MORPH,
    "gemini": GEMINI,
}
