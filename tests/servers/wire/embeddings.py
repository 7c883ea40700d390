"""Vectors made from nothing but the text's hash: the same text, the same vector."""

import base64
import hashlib
import math
import struct
from typing import Any

from tests.servers.wire.answer import Json

DIMENSIONS = 64


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return a vector of length 1."""
    found: list[float] = []
    block = 0
    while len(found) < dimensions:
        digest = hashlib.sha256(f"{block}:{text}".encode()).digest()
        found += [byte / 127.5 - 1.0 for byte in digest]
        block += 1
    del found[dimensions:]
    length = math.sqrt(sum(value * value for value in found))
    return [value / length for value in found]


def chat_embeddings(body: Json) -> Json:
    """Answer ``POST /embeddings``: https://platform.openai.com/docs/api-reference/embeddings."""
    texts = _inputs(body["input"])
    dimensions = body.get("dimensions") or DIMENSIONS
    as_base64 = body.get("encoding_format") == "base64"
    read = sum(max(1, len(text.split())) for text in texts)
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _packed(found) if as_base64 else found,
            }
            for index, found in enumerate(vector(text, dimensions) for text in texts)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": read, "total_tokens": read},
    }


def gemini_embeddings(body: Json) -> Json:
    """Answer ``:embedContent`` and ``:batchEmbedContents``.

    https://ai.google.dev/api/embeddings
    """
    if "requests" in body:
        return {"embeddings": [_gemini_values(request) for request in body["requests"]]}
    return {"embedding": _gemini_values(body)}


def _gemini_values(request: Json) -> Json:
    text = " ".join(part.get("text", "") for part in request["content"]["parts"])
    return {"values": vector(text, request.get("outputDimensionality") or DIMENSIONS)}


def _inputs(given: Any) -> list[str]:
    """Take a text, texts, tokens, or several lists of tokens."""
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [one if isinstance(one, str) else " ".join(map(str, one)) for one in given]


def _packed(found: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(found)}f", *found)).decode()
