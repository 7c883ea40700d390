"""Encrypted values: what they look like, and what each is bound to.

A sealed value names the data key that it needs, so that no key is ever tried out::

    version (1) | algorithm (1) | length of the id (1) | data key's id | nonce (12) | text | tag

It is bound to its :class:`Place`: moved to another account, table, row or column it opens no
more.
"""

from typing import Self

from attrs import Attribute, field, frozen

from tollkeeper.domain.checks import checked_account, checked_text
from tollkeeper.domain.encryption import (
    ALGORITHMS,
    LARGEST_PLAINTEXT,
    NONCE_BYTES,
    TAG_BYTES,
    checked_algorithm,
    checked_data_key_id,
    is_data_key_id,
)
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest

_VERSION = 1
_HEADER = 3
_SHORTEST_BODY = NONCE_BYTES + TAG_BYTES
_LARGEST_BODY = _SHORTEST_BODY + LARGEST_PLAINTEXT


def _is_part(_: object, attribute: "Attribute[str]", text: str) -> None:
    if text == "":
        raise InvalidRequest(f"{attribute.name} must not be empty")
    checked_text(text, field=attribute.name)


@frozen
class Place:
    """Where a sealed value lies: the *account* that it belongs to, *table*, *row* and *column*.

    The row is named by what never changes of it, such as its id.
    """

    account: str = field(converter=checked_account)
    table: str = field(validator=_is_part)
    row: str = field(validator=_is_part)
    column: str = field(validator=_is_part)


@frozen
class SealedValue:
    """An encrypted value: *body* (nonce, text and tag) under the data key *data_key_id*."""

    algorithm: int = field(converter=checked_algorithm)
    data_key_id: str = field(converter=checked_data_key_id)
    body: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if (
            not isinstance(self.body, bytes)
            or not _SHORTEST_BODY <= len(self.body) <= _LARGEST_BODY
        ):
            raise InvalidRequest(
                f"the body of a sealed value is {_SHORTEST_BODY} to {_LARGEST_BODY} bytes",
                code="invalid_sealed_value",
            )

    def to_bytes(self) -> bytes:
        """Write the value as it is stored."""
        name = self.data_key_id.encode()
        return bytes((_VERSION, self.algorithm, len(name))) + name + self.body

    @classmethod
    def parse(cls, sealed: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            CorruptResponse: it is anything else (code ``sealed_value_malformed``).
            InvalidRequest: *sealed* is no bytes.
        """
        return cls(*split(sealed))


def split(sealed: bytes) -> tuple[int, str, bytes]:
    """Read the algorithm, the data key's id and the body as :meth:`SealedValue.parse` does.

    Raises:
        CorruptResponse: it is anything else (code ``sealed_value_malformed``).
        InvalidRequest: *sealed* is no bytes.
    """
    if not isinstance(sealed, bytes):
        raise InvalidRequest("a sealed value is bytes", code="invalid_sealed_value")
    if len(sealed) < _HEADER + 1 + _SHORTEST_BODY:
        raise _malformed("it is cut short, or no sealed value at all")
    algorithm = sealed[1]
    if sealed[0] != _VERSION:
        raise _malformed("its format is unknown to this release")
    if algorithm not in ALGORITHMS:
        raise _malformed("its algorithm is unknown to this release")
    end = _HEADER + sealed[2]
    name, body = sealed[_HEADER:end].decode("latin-1"), sealed[end:]
    if not is_data_key_id(name):
        raise _malformed("it names no data key")
    if not _SHORTEST_BODY <= len(body) <= _LARGEST_BODY:
        raise _malformed("it is cut short, or too long")
    return algorithm, name, body


def associated_data(*, algorithm: int, data_key_id: str, place: Place) -> bytes:
    """Write what a sealed value is bound to: its own header, and its *place*.

    Each part stands after the number of its characters, so that no part runs into the next.
    """
    key, account, table, row, column = (
        data_key_id,
        place.account,
        place.table,
        place.row,
        place.column,
    )
    # In one text: this is done for each value that is read.
    return (
        f"tollkeeper/sealed-value/{_VERSION}/{algorithm}/{len(key)}:{key}{len(account)}:{account}"
        f"{len(table)}:{table}{len(row)}:{row}{len(column)}:{column}"
    ).encode()


def _malformed(why: str) -> CorruptResponse:
    return CorruptResponse(
        f"a stored value cannot be decrypted: {why}; look at what wrote to its column",
        port="cipher",
        adapter="sealed_value",
        code="sealed_value_malformed",
    )
