"""Embeddings in the OpenAI format: requests written, vectors read. Pure.

The format is described at https://platform.openai.com/docs/api-reference/embeddings.
"""

import base64
import binascii
import sys
from array import array
from typing import Any

import msgspec

from tollkeeper.adapters.openai.dialects import Dialect
from tollkeeper.adapters.openai.encoding import encode_json
from tollkeeper.adapters.openai.faults import ERRORS
from tollkeeper.adapters.wire.faults import ProviderFault, decode_fault, fault_of
from tollkeeper.adapters.wire.vectors import PORT, check_vectors, in_order
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import CorruptResponse, Unsupported

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
    data = answer.data or []
    found = in_order(data, [each.index for each in data], len(request.texts), ERRORS)
    vectors = tuple(_floats(each.embedding) for each in found)
    check_vectors(vectors, request, ERRORS)
    return Embeddings(vectors, _tokens(answer.usage), answer.model or "")


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
    return ERRORS.corrupt(public_message, port=PORT)
