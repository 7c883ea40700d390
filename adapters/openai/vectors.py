"""Embeddings in the OpenAI format: requests written, vectors read. Pure.

The format is described at https://platform.openai.com/docs/api-reference/embeddings.
"""

import base64
import binascii
import math
import sys
from array import array
from typing import Any

import msgspec

from tollkeeper.adapters.openai.dialects import Dialect
from tollkeeper.adapters.openai.encoding import encode_json
from tollkeeper.adapters.openai.faults import (
    ADAPTER,
    ProviderFault,
    corrupt,
    decode_fault,
    fault_of,
)
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import CorruptResponse, Rejected, Unsupported

PORT = "embedder"
OUT_OF_REACH = frozenset({"model", "input", "encoding_format", "dimensions"})
"""What ``extra`` may not set: the price and the reading of the answer rest on it."""
_NULL = msgspec.Raw(b"null")


class _Vector(msgspec.Struct):
    embedding: str | list[float]
    index: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int


class _Answer(msgspec.Struct):
    data: list[_Vector] | None = None
    model: str | None = None
    usage: msgspec.Raw = _NULL
    error: Any = None
    code: Any = None


_decoder = msgspec.json.Decoder(_Answer)
_usage_decoder = msgspec.json.Decoder(_Usage)


def encode_texts(request: EmbeddingRequest, dialect: Dialect) -> bytes:
    """Write *request* as the JSON body of ``POST /embeddings``.

    Raises:
        Unsupported: the provider does not take who the user is, or ``extra`` reaches too far.
        InvalidRequest: a value in ``extra`` is no JSON.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "input": list(request.texts),
        "encoding_format": "base64",  # a quarter of the bytes, and no text to read as numbers
    }
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    if request.user is not None:
        if "user" in dialect.quirks.unsupported:
            raise Unsupported(
                f"{dialect.name} does not take user: leave it out", code="unsupported_parameter"
            )
        body["user"] = request.user
    refused = sorted(OUT_OF_REACH & request.extra.keys())
    if refused:
        raise Unsupported(f"extra may not set {', '.join(refused)}: the request itself does")
    body.update(request.extra)
    return encode_json(body, "extra")


def decode_vectors(body: bytes, request: EmbeddingRequest) -> Embeddings | ProviderFault:
    """Read the answer to *request*, or the fault that came in its place.

    Raises:
        CorruptResponse: there is not one vector for each text, all of one length and finite.
        Rejected: the model does not shorten its vectors.
    """
    try:
        answer = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        if body[:1] == b"[":  # Gemini's errors are lists of one
            fault = decode_fault(body)
            if fault.code or fault.kind:
                return fault
        raise _corrupt("the provider's answer is not in the embeddings format") from error
    if answer.error:
        return fault_of({"error": answer.error, "code": answer.code})
    found = _in_order(answer.data or [], len(request.texts))
    vectors = tuple(_floats(each.embedding) for each in found)
    length = len(vectors[0])
    if not length or any(len(vector) != length for vector in vectors):
        raise _corrupt("the provider's vectors are not all of one length")
    if not all(math.isfinite(sum(vector)) for vector in vectors):
        raise _corrupt("the provider's vectors hold what is no number")
    if request.dimensions is not None and length != request.dimensions:
        raise Rejected(
            f"{request.model} does not make vectors of {request.dimensions} dimensions: leave "
            "dimensions out, or choose another model",
            port=PORT,
            adapter=ADAPTER,
            ambiguous=True,
            code="dimensions_not_honoured",
        )
    return Embeddings(vectors, _tokens(answer.usage), answer.model or "")


def _in_order(data: list[_Vector], count: int) -> list[_Vector]:
    """Put *data* in the order of the texts; without any index it is in order already.

    A format that leaves out zeros leaves out the first index.
    """
    if len(data) != count:
        raise _corrupt("the provider's answer has not one vector for each text")
    if all(each.index is None for each in data):
        return data
    places = {each.index or 0: each for each in data}
    if places.keys() != set(range(count)):
        raise _corrupt("the provider's answer numbers its vectors wrongly")
    return [places[place] for place in range(count)]


def _floats(embedding: str | list[float]) -> tuple[float, ...]:
    if isinstance(embedding, list):
        return tuple(embedding)
    floats = array("f")  # the format is 32 bits, the lowest byte first
    try:
        floats.frombytes(base64.b64decode(embedding, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _corrupt("the provider's vectors are not written as base64 of floats") from error
    if sys.byteorder == "big":
        floats.byteswap()
    return tuple(floats)


def _tokens(raw: msgspec.Raw) -> int | None:
    """Read how many tokens were read; None where it is not said, or is no count.

    A text has at least one token: zero is what servers say that do not count.
    """
    try:
        tokens = _usage_decoder.decode(raw).prompt_tokens
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return tokens if tokens > 0 else None


def _corrupt(public_message: str) -> CorruptResponse:
    return corrupt(public_message, port=PORT)
