"""What litellm read of an answer with vectors, as domain values. Pure."""

import math
from typing import Any

from tollkeeper.adapters.litellm.faults import ADAPTER, corrupt
from tollkeeper.adapters.litellm.usage import of
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import CorruptResponse, Rejected

PORT = "embedder"


def decode_vectors(
    response: Any, request: EmbeddingRequest, *, reported: bool, model: str
) -> Embeddings:
    """Make the embeddings of litellm's ``EmbeddingResponse``.

    *reported* says that the provider reported a usage: litellm makes one up where it did not.

    Raises:
        CorruptResponse: there is not one vector for each text, all of one length and finite.
        Rejected: the model does not shorten its vectors.
    """
    found = _in_order(of(response, "data"), len(request.texts))
    vectors = tuple(_floats(each) for each in found)
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
    tokens = of(of(response, "usage"), "prompt_tokens") if reported else None
    # A text has at least one token: zero is what servers say that do not count.
    counted = tokens if type(tokens) is int and tokens > 0 else None
    return Embeddings(vectors, counted, model)


def _in_order(data: Any, count: int) -> list[Any]:
    """Put *data* in the order of the texts; without an index it is in order already."""
    if not isinstance(data, list) or len(data) != count:
        raise _corrupt("the provider's answer has not one vector for each text")
    indices = [of(each, "index") for each in data]
    if all(index is None for index in indices):
        return data
    places = {index or 0: each for index, each in zip(indices, data, strict=True)}
    if places.keys() != set(range(count)):
        raise _corrupt("the provider's answer numbers its vectors wrongly")
    return [places[place] for place in range(count)]


def _floats(each: Any) -> tuple[float, ...]:
    embedding = of(each, "embedding")
    if not isinstance(embedding, list) or not all(
        type(value) in (int, float) for value in embedding
    ):
        raise _corrupt("the provider's vectors are not lists of numbers")
    return tuple(map(float, embedding))


def _corrupt(public_message: str) -> CorruptResponse:
    return corrupt(public_message, port=PORT)
