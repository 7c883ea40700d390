"""Encrypt and decrypt values of accounts, each bound to the place where it is stored."""

from attrs import field, frozen

from tollkeeper.application.data_keys import DataKeys
from tollkeeper.domain.encryption import LARGEST_PLAINTEXT
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest
from tollkeeper.domain.sealed_values import Place, SealedValue, associated_data, split
from tollkeeper.domain.secret import MASK, Secret


@frozen
class AccountCipher:
    """Encrypts under the data keys of the account that a value belongs to.

    A value opens at its :class:`Place` only, and under the data key that it names: no key is
    tried out, and what cannot be decrypted is an error, never the input, and never nothing. An
    open data key needs no I/O.
    """

    data_keys: DataKeys

    async def encrypt(self, plaintext: Secret | bytes, *, place: Place) -> bytes:
        """Return *plaintext* (at most 1 MiB, a secret's as UTF-8) as it may be stored at *place*.

        The same text gives other bytes each time.

        Raises:
            InvalidRequest: *plaintext* is neither, or too long (code ``invalid_plaintext``); or
                *place* is no Place (code ``invalid_place``).
            CorruptResponse: the account's data key was damaged.
            PortError: the data key cannot be had; nothing was encrypted.
        """
        # A traceback may show the locals of this frame, so that none may hold the plain text.
        held = _held(plaintext)
        del plaintext
        if held is None:
            raise InvalidRequest(
                f"a text to encrypt is a Secret or bytes, at most {LARGEST_PLAINTEXT} of them",
                code="invalid_plaintext",
            )
        checked = _checked(place)
        key = await self.data_keys.primary(checked.account)
        bound_to = associated_data(algorithm=key.algorithm, data_key_id=key.id, place=checked)
        body = key.keyed.encrypt(held.text, associated_data=bound_to)
        return SealedValue(key.algorithm, key.id, body).to_bytes()

    async def decrypt(self, sealed: bytes, *, place: Place) -> bytes:
        """Return the plain text of *sealed*, which was read at *place*.

        Raises:
            CorruptResponse: it is no sealed value (code ``sealed_value_malformed``); it was
                damaged, or moved here from another place (code ``decryption_failed``); or its
                data key was damaged (the same, or ``data_key_mismatch``).
            NotFound: the account has no such data key (code ``data_key_not_found``).
            Conflict: its data key was destroyed (code ``data_key_destroyed``).
            Unsupported: it was written with a cipher that is not here (``cipher_not_here``).
            InvalidRequest: *sealed* is no bytes, or *place* no Place.
            PortError: the data key cannot be had.
        """
        checked = _checked(place)
        algorithm, name, body = split(sealed)
        key = self.data_keys.opened(checked.account, name)
        if key is None:
            key = await self.data_keys.get(account=checked.account, data_key_id=name)
        bound_to = associated_data(algorithm=algorithm, data_key_id=name, place=checked)
        return key.keyed.decrypt(body, associated_data=bound_to)

    async def decrypt_text(self, sealed: bytes, *, place: Place) -> Secret:
        """Return the plain text as a secret.

        Raises:
            CorruptResponse: it is no text in UTF-8 (code ``decryption_failed``); and as
                :meth:`decrypt` does.
        """
        text = _text(await self.decrypt(sealed, place=place))
        if text is None:
            raise CorruptResponse(
                "a stored value is no text in UTF-8; read it as bytes",
                port="cipher",
                adapter="account_cipher",
                code="decryption_failed",
            )
        return text

    def forget(self, account: str) -> None:
        """Close the account's data keys: call it when one was destroyed, here or elsewhere."""
        self.data_keys.forget(account)


@frozen(repr=False)
class _Held:
    """A plain text that no traceback shows."""

    text: bytes = field(repr=False)

    def __repr__(self) -> str:
        return MASK


def _held(plaintext: Secret | bytes) -> _Held | None:
    """Take *plaintext* out of sight; raises nothing that could hold it."""
    if isinstance(plaintext, Secret):
        try:
            plaintext = plaintext.reveal().encode()
        except UnicodeEncodeError:
            return None
    if not isinstance(plaintext, bytes) or len(plaintext) > LARGEST_PLAINTEXT:
        return None
    return _Held(plaintext)


def _text(plaintext: bytes) -> Secret | None:
    # Errors of the codec hold what they could not decode: none of them leaves this function.
    try:
        return Secret(plaintext.decode())
    except UnicodeDecodeError:
        return None


def _checked(place: Place) -> Place:
    if not isinstance(place, Place):
        raise InvalidRequest("place must be a Place", code="invalid_place")
    return place
