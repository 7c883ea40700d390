"""What must hold of the vectors that a provider answers with. Pure."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from tollkeeper.adapters.wire.errors import Errors
from tollkeeper.domain.embeddings import EmbeddingRequest
from tollkeeper.domain.errors import Rejected

PORT = "embedder"
_Item = TypeVar("_Item")


def in_order(items: list[_Item], indices: Sequence[Any], count: int, errors: Errors) -> list[_Item]:
    """Put *items* in the order of the *count* texts; without any index they are in order already.

    A format that leaves out zeros leaves out the first index.

    Raises:
        CorruptResponse: there is not one for each text.
    """
    if len(items) != count:
        raise errors.corrupt("the provider's answer has not one vector for each text", port=PORT)
    if all(index is None for index in indices):
        return items
    places = {index or 0: item for index, item in zip(indices, items, strict=True)}
    if places.keys() != set(range(count)):
        raise errors.corrupt("the provider's answer numbers its vectors wrongly", port=PORT)
    return [places[place] for place in range(count)]


def check_vectors(
    vectors: Sequence[Sequence[float]], request: EmbeddingRequest, errors: Errors
) -> None:
    """See that *vectors* can be the answer to *request*.

    Raises:
        CorruptResponse: they are not all of one length and finite.
        Rejected: the model does not shorten its vectors.
    """
    length = len(vectors[0])
    if not length or any(len(vector) != length for vector in vectors):
        raise errors.corrupt("the provider's vectors are not all of one length", port=PORT)
    if not all(math.isfinite(sum(vector)) for vector in vectors):
        raise errors.corrupt("the provider's vectors hold what is no number", port=PORT)
    if request.dimensions is not None and length != request.dimensions:
        raise Rejected(
            f"{request.model} does not make vectors of {request.dimensions} dimensions: leave "
            "dimensions out, or choose another model",
            port=PORT,
            adapter=errors.adapter,
            ambiguous=True,
            code="dimensions_not_honoured",
        )
