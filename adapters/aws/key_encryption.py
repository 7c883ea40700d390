"""Key-encryption keys in AWS KMS, which never leave it."""

import re
from collections.abc import Mapping
from typing import Any, Self

from tollkeeper.adapters.aws.addresses import Credentials, parse_aws_url
from tollkeeper.adapters.aws.client import AwsClient
from tollkeeper.domain.encryption import KEY_BYTES, WrappedKey, checked_context
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    PortError,
    Rejected,
)
from tollkeeper.ports.key_encryption import GeneratedKey

EXAMPLE = "aws-kms://eu-west-1/alias/tollkeeper?timeout=5s"
_PORT, _TITLE = "key_encryption", "AWS KMS"
_ARN = re.compile(
    r"arn:aws[a-z-]{0,20}:kms:[a-z0-9-]{1,40}:[0-9]{12}:"
    r"(key/[A-Za-z0-9-]{1,64}|alias/[A-Za-z0-9/_-]{1,250})"
)
# AWS's own aliases, alias/aws/…, name keys that only AWS's services may use.
_KEY = re.compile(r"alias/(?!aws/)[A-Za-z0-9/_-]{1,250}|(mrk-)?[0-9a-f-]{32,36}")
_UNKNOWN = frozenset(
    {
        *("NotFoundException", "DisabledException", "KMSInvalidStateException"),
        *("InvalidKeyUsageException", "InvalidArnException"),
    }
)
_CORRUPT = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


class AwsKeyEncryption:
    """Has KMS make, unwrap and rewrap data keys under *key*: an alias, an id or an ARN.

    An alias is best: when it is moved to another key, that one is current from then on. The id
    of a key-encryption key is its ARN. The role needs ``kms:DescribeKey``,
    ``kms:GenerateDataKey``, ``kms:Decrypt``, and for :meth:`rewrap` ``kms:ReEncryptFrom`` and
    ``kms:ReEncryptTo``.
    """

    def __init__(self, client: AwsClient, key: str) -> None:
        self._client = client
        self._key = key

    @classmethod
    def from_url(cls, url: str, *, environ: Mapping[str, str]) -> Self:
        """Make one from ``aws-kms://<region>/<alias, id or ARN of the key>?timeout=5s``.

        Options: ``timeout`` (5s), ``pool_size`` (8 requests at a time), ``endpoint``,
        ``insecure=yes`` (lets the endpoint be another machine without TLS). Of *environ* the AWS
        credentials are read.

        Raises:
            ConfigurationError: *url* reads otherwise, or the credentials are incomplete.
        """
        address, key, _ = parse_aws_url(
            url, scheme="aws-kms", example=EXAMPLE, port=_PORT, options={}
        )
        if not _KEY.fullmatch(key) and not _ARN.fullmatch(key):
            raise ConfigurationError(f"{_PORT}: write {EXAMPLE}, with an alias of yours")
        credentials = Credentials.of(environ, port=_PORT)
        return cls(AwsClient("kms", address, credentials, port=_PORT, title=_TITLE), key)

    def __repr__(self) -> str:
        return f"AwsKeyEncryption({self._client!r}, {self._key!r})"

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.__aexit__(*exc_info)

    async def current(self) -> str:
        """Return the ARN of the key that the alias names now."""
        return await self._current(self._client.deadline())

    async def generate(self, *, context: Mapping[str, str]) -> GeneratedKey:
        """Have KMS make a data key."""
        checked_context(context)
        until = self._client.deadline()
        made = _made(await self._generate(self._key, context, until))
        if made is None:
            raise _broken()
        return made

    async def unwrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> bytes:
        """Have KMS decrypt a data key."""
        kek_id = _kek_of(wrapped, context)
        until = self._client.deadline()
        try:
            answer = await self._decrypt(kek_id, wrapped.ciphertext, context, until)
        except CredentialsRefused as error:
            refused = error
        else:
            key = _plaintext(answer)
            del answer  # a traceback may show the locals of this frame
            if key is None:
                raise _broken()
            return key
        raise await self._blamed(refused, kek_id, context, until)

    async def rewrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> WrappedKey:
        """Have KMS decrypt and encrypt a data key inside of it."""
        kek_id = _kek_of(wrapped, context)
        until = self._client.deadline()
        current = await self._current(until)
        if kek_id == current:
            return wrapped
        try:
            answer = await self._asked(
                "re_encrypt",
                kek_id,
                until=until,
                CiphertextBlob=wrapped.ciphertext,
                SourceKeyId=kek_id,
                SourceEncryptionContext=dict(context),
                DestinationKeyId=current,
                DestinationEncryptionContext=dict(context),
            )
        except CredentialsRefused as error:
            refused = error
        else:
            anew = _wrapped(answer)
            if anew is None:
                raise _broken()
            if answer.get("SourceKeyId") != kek_id:
                raise _corrupt()
            return anew
        raise await self._blamed(refused, kek_id, context, until)

    async def health(self) -> str:
        """Look at the key's state."""
        return f"{_TITLE}, {await self.current()}"

    async def _current(self, until: float) -> str:
        answer = await self._asked("describe_key", self._key, until=until, KeyId=self._key)
        found = answer.get("KeyMetadata") or {}
        arn, state = found.get("Arn"), found.get("KeyState")
        if not isinstance(arn, str) or not _ARN.fullmatch(arn):
            raise _broken()
        if state != "Enabled":
            raise _unknown(arn)
        return arn

    async def _generate(self, key: str, context: Mapping[str, str], until: float) -> Any:
        return await self._asked(
            "generate_data_key",
            key,
            until=until,
            KeyId=key,
            KeySpec="AES_256",
            EncryptionContext=dict(context),
        )

    async def _decrypt(
        self, kek_id: str, ciphertext: bytes, context: Mapping[str, str], until: float
    ) -> Any:
        return await self._asked(
            "decrypt",
            kek_id,
            until=until,
            CiphertextBlob=ciphertext,
            KeyId=kek_id,
            EncryptionContext=dict(context),
        )

    async def _blamed(
        self,
        refused: CredentialsRefused,
        kek_id: str,
        context: Mapping[str, str],
        until: float,
    ) -> PortError:
        """Find out who is to blame where access is denied: our credentials, or the ciphertext.

        KMS denies access to a ciphertext that names a key that is not there, as one does that was
        damaged. If another ciphertext of the same key opens, that is what happened.
        """
        if refused.provider_code not in _DENIED:
            return refused
        try:
            made = _made(await self._generate(kek_id, context, until))
            if made is not None:
                await self._decrypt(kek_id, made.wrapped.ciphertext, context, until)
        except PortError as error:
            return error if error.code == "kek_unknown" else refused
        return _corrupt() if made is not None else refused

    async def _asked(
        self, action: str, kek_id: str, *, until: float, **parameters: object
    ) -> Mapping[str, Any]:
        try:
            return await self._client.call(action, until=until, **parameters)
        except PortError as error:
            if error.provider_code in _UNKNOWN:
                failed: PortError = _unknown(kek_id, error)
            elif error.provider_code in _CORRUPT:
                failed = _corrupt(error)
            else:
                raise
        raise failed


def _kek_of(wrapped: WrappedKey, context: Mapping[str, str]) -> str:
    """Check the arguments, and return the ARN of the key that wraps *wrapped*."""
    checked_context(context)
    if not isinstance(wrapped, WrappedKey):
        raise InvalidRequest("wrapped must be a WrappedKey", code="invalid_wrapped_key")
    if not _ARN.fullmatch(wrapped.kek_id):
        raise _unknown(wrapped.kek_id)
    if not wrapped.ciphertext:
        raise _corrupt()
    return wrapped.kek_id


def _made(answer: Mapping[str, Any]) -> GeneratedKey | None:
    key, wrapped = _plaintext(answer), _wrapped(answer)
    return None if key is None or wrapped is None else GeneratedKey(key, wrapped)


def _plaintext(answer: Mapping[str, Any]) -> bytes | None:
    key = answer.get("Plaintext")
    return key if isinstance(key, bytes) and len(key) == KEY_BYTES else None


def _wrapped(answer: Mapping[str, Any]) -> WrappedKey | None:
    arn, ciphertext = answer.get("KeyId"), answer.get("CiphertextBlob")
    if not isinstance(arn, str) or not _ARN.fullmatch(arn) or not ciphertext:
        return None
    return WrappedKey(arn, ciphertext)


def _unknown(kek_id: str, cause: PortError | None = None) -> Rejected:
    error = Rejected(
        f"the key-encryption key {kek_id} is not in {_TITLE}, or disabled; enable it, or cancel "
        "its deletion: what it wrapped opens with it alone",
        port=_PORT,
        adapter="aws",
        code="kek_unknown",
        provider_code=cause.provider_code if cause else "",
    )
    error.__cause__ = cause and cause.__cause__
    return error


def _corrupt(cause: PortError | None = None) -> CorruptResponse:
    error = CorruptResponse(
        "a wrapped data key does not open: it was damaged, or is of another context or key",
        port=_PORT,
        adapter="aws",
        code="decryption_failed",
        provider_code=cause.provider_code if cause else "",
    )
    error.__cause__ = cause and cause.__cause__
    return error


def _broken() -> CorruptResponse:
    return CorruptResponse(f"the answer of {_TITLE} is not whole", port=_PORT, adapter="aws")
