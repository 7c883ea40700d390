"""Embeddings: texts as vectors."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.checks import checked_unicode
from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance

MOST_TEXTS = 2048


def _texts(texts: str | Iterable[str]) -> tuple[str, ...]:
    try:
        return (texts,) if isinstance(texts, str) else tuple(texts)
    except TypeError:
        raise InvalidRequest("texts is a list of texts", code="invalid_texts") from None


@frozen
class EmbeddingRequest:
    """What is to be embedded; *model* is the provider's own name for it.

    *dimensions* shortens the vectors where the model can; *user* names the end user.
    """

    model: str
    texts: tuple[str, ...] = field(converter=_texts)
    dimensions: int | None = None
    user: str | None = None
    extra: Mapping[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise InvalidRequest("model is the provider's name for it")
        if not 1 <= len(self.texts) <= MOST_TEXTS:
            raise InvalidRequest(f"1 to {MOST_TEXTS} texts can be embedded", code="invalid_texts")
        for text in self.texts:
            checked_unicode(text, field="a text to embed", code="invalid_texts")
            if not text:
                raise InvalidRequest("a text to embed is not empty", code="invalid_texts")
        if self.dimensions is not None and (
            type(self.dimensions) is not int or not 1 <= self.dimensions <= 65_536
        ):
            raise InvalidRequest("dimensions is a whole number, 1 or more")
        if self.user is not None and not (
            isinstance(self.user, str) and 0 < len(self.user) <= 256 and self.user.isprintable()
        ):
            raise InvalidRequest("user is a text of 1-256 printable characters")
        if not isinstance(self.extra, Mapping) or not all(isinstance(k, str) for k in self.extra):
            raise InvalidRequest("extra is a mapping with texts as keys")


@frozen
class Embeddings:
    """One vector for each text, in the order of the texts.

    *input_tokens* is None where the provider did not report it. An embedder leaves *receipt*,
    *provider*, *provenance* and *attempts* to the use case.
    """

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    input_tokens: int | None = None
    model: str = ""
    receipt: Receipt | None = None
    provider: str = ""
    provenance: Provenance | None = None
    attempts: tuple[Attempt, ...] = ()

    def quantities(self, *, input_tokens: int) -> dict[Meter, int]:
        """What is charged for *input_tokens*, with the one request that it took."""
        return {Meter.REQUESTS: 1, Meter.INPUT_TOKENS: input_tokens}
