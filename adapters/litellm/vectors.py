"""What litellm read of an answer with vectors, as domain values. Pure."""

from typing import Any

from tollkeeper.adapters.litellm.faults import ERRORS
from tollkeeper.adapters.litellm.usage import of
from tollkeeper.adapters.wire.vectors import PORT, check_vectors, in_order
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import CorruptResponse


def decode_vectors(
    response: Any, request: EmbeddingRequest, *, reported: bool, model: str
) -> Embeddings:
    """Make the embeddings of litellm's ``EmbeddingResponse``.

    *reported* says that the provider reported a usage: litellm makes one up where it did not.

    Raises:
        CorruptResponse: there is not one vector for each text, all of one length and finite.
        Rejected: the model does not shorten its vectors.
    """
    data = of(response, "data")
    data = data if isinstance(data, list) else []
    found = in_order(data, [of(each, "index") for each in data], len(request.texts), ERRORS)
    vectors = tuple(_floats(each) for each in found)
    check_vectors(vectors, request, ERRORS)
    tokens = of(of(response, "usage"), "prompt_tokens") if reported else None
    # A text has at least one token: zero is what servers say that do not count.
    counted = tokens if type(tokens) is int and tokens > 0 else None
    return Embeddings(vectors, counted, model)


def _floats(each: Any) -> tuple[float, ...]:
    embedding = of(each, "embedding")
    if not isinstance(embedding, list) or not all(
        type(value) in (int, float) for value in embedding
    ):
        raise _corrupt("the provider's vectors are not lists of numbers")
    return tuple(map(float, embedding))


def _corrupt(public_message: str) -> CorruptResponse:
    return ERRORS.corrupt(public_message, port=PORT)
