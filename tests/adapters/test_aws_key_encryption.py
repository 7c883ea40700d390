"""AWS KMS keeps the contract of key-encryption keys, on moto."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import evolve

from tests.adapters.aws_sources import kept_client
from tests.servers.aws_front import AwsFront, Refusal, shared_front
from tests.servers.aws_server import REGION, aws_client, shared_aws_url
from tollkeeper.adapters.aws.key_encryption import AwsKeyEncryption
from tollkeeper.contracts.key_encryption import Disable, KeyEncryptionContract, Rotate
from tollkeeper.domain.encryption import WrappedKey
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    Rejected,
    Unavailable,
)
from tollkeeper.ports.health import HealthCheck

pytestmark = pytest.mark.anyio
CONTEXT = {"tenant": "acme", "purpose": "credentials", "env": "test"}


def kms() -> Any:
    """Return what looks behind the adapter."""
    return aws_client("kms", shared_aws_url())


def new_key() -> str:
    arn: str = kms().create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture
def alias() -> str:
    """Name a key that nobody else uses."""
    name = f"alias/test/{uuid.uuid4().hex}"
    kms().create_alias(AliasName=name, TargetKeyId=new_key())
    return name


@pytest.fixture
def front() -> AwsFront:
    front = shared_front("faults")
    front.reset()
    return front


@pytest.fixture
async def key_encryption(alias: str, front: AwsFront) -> AsyncIterator[AwsKeyEncryption]:
    async with AwsKeyEncryption(kept_client("kms", "key_encryption", front.url), alias) as made:
        yield made


class TestAwsKeyEncryption(KeyEncryptionContract):
    @pytest.fixture
    async def key_encryption(self, alias: str) -> AsyncIterator[AwsKeyEncryption]:
        client = kept_client("kms", "key_encryption", shared_front().url)
        async with AwsKeyEncryption(client, alias) as key_encryption:
            yield key_encryption

    @pytest.fixture
    def unknown_kek(self) -> str:
        return f"arn:aws:kms:{REGION}:123456789012:key/{uuid.UUID(int=0)}"

    @pytest.fixture
    def rotate(self, alias: str) -> Rotate:
        async def rotate() -> None:
            kms().update_alias(AliasName=alias, TargetKeyId=new_key())

        return rotate

    @pytest.fixture
    def disable(self) -> Disable:
        async def disable(kek_id: str) -> None:
            kms().disable_key(KeyId=kek_id.rpartition("/")[2])
            shared_front().disabled.add(kek_id)

        return disable


async def test_the_id_of_a_key_encryption_key_is_its_arn(
    key_encryption: AwsKeyEncryption, alias: str
) -> None:
    arn = await key_encryption.current()
    assert arn.startswith(f"arn:aws:kms:{REGION}:123456789012:key/")
    client = kept_client("kms", "key_encryption", shared_front().url)
    for key in (arn, arn.rpartition("/")[2], f"{arn.partition(':key/')[0]}:{alias}"):
        assert await AwsKeyEncryption(client, key).current() == arn


async def test_keys_are_made_and_opened_in_one_request_each(
    key_encryption: AwsKeyEncryption, front: AwsFront
) -> None:
    made = await key_encryption.generate(context=CONTEXT)
    await key_encryption.unwrap(made.wrapped, context=CONTEXT)
    assert front.asked == ["GenerateDataKey", "Decrypt"]


async def test_a_key_that_is_wrapped_anew_never_leaves_kms(
    key_encryption: AwsKeyEncryption, front: AwsFront, alias: str
) -> None:
    made = await key_encryption.generate(context=CONTEXT)
    kms().update_alias(AliasName=alias, TargetKeyId=new_key())
    front.asked.clear()
    await key_encryption.rewrap(made.wrapped, context=CONTEXT)
    assert front.asked == ["DescribeKey", "ReEncrypt"]


async def test_a_lost_alias_is_a_key_that_is_not_known() -> None:
    """It fails closed, and the key is named (T27)."""
    client = kept_client("kms", "key_encryption", shared_front().url)
    keys = AwsKeyEncryption(client, "alias/test/nobody")
    for use in (keys.current(), keys.generate(context=CONTEXT), keys.health()):
        with pytest.raises(Rejected, match="alias/test/nobody is not in AWS KMS") as failed:
            await use
        assert failed.value.code == "kek_unknown"


@pytest.mark.parametrize(
    "code", ["NotFoundException", "DisabledException", "KMSInvalidStateException"]
)
async def test_a_key_that_cannot_be_used_is_named(
    key_encryption: AwsKeyEncryption, front: AwsFront, code: str
) -> None:
    """What was wrapped under it fails closed, and is not taken for damaged (T27)."""
    made = await key_encryption.generate(context=CONTEXT)
    front.always = Refusal(code)
    with pytest.raises(Rejected) as failed:
        await key_encryption.unwrap(made.wrapped, context=CONTEXT)
    assert failed.value.code == "kek_unknown"
    assert failed.value.provider_code == code
    assert made.wrapped.kek_id in failed.value.public_message
    assert not failed.value.retryable


async def test_a_disabled_key_is_current_no_more(key_encryption: AwsKeyEncryption) -> None:
    arn = await key_encryption.current()
    kms().disable_key(KeyId=arn.rpartition("/")[2])
    for use in (key_encryption.current(), key_encryption.health()):
        with pytest.raises(Rejected) as failed:
            await use
        assert failed.value.code == "kek_unknown"


@pytest.mark.parametrize("code", ["InvalidCiphertextException", "IncorrectKeyException"])
async def test_what_does_not_open_is_corrupt(
    key_encryption: AwsKeyEncryption, front: AwsFront, code: str
) -> None:
    made = await key_encryption.generate(context=CONTEXT)
    front.always = Refusal(code)
    with pytest.raises(CorruptResponse) as failed:
        await key_encryption.unwrap(made.wrapped, context=CONTEXT)
    assert failed.value.code == "decryption_failed"


async def test_every_damaged_byte_is_found(key_encryption: AwsKeyEncryption) -> None:
    """Also in its head, where KMS itself says that access is denied (T20)."""
    wrapped = (await key_encryption.generate(context=CONTEXT)).wrapped
    whole = wrapped.ciphertext
    for at in range(0, len(whole), 7):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(CorruptResponse) as failed:
            await key_encryption.unwrap(evolve(wrapped, ciphertext=damaged), context=CONTEXT)
        assert failed.value.code == "decryption_failed"


async def test_credentials_that_may_not_open_are_no_damage(
    key_encryption: AwsKeyEncryption, front: AwsFront
) -> None:
    made = await key_encryption.generate(context=CONTEXT)
    front.always = Refusal("AccessDeniedException")
    with pytest.raises(CredentialsRefused):
        await key_encryption.unwrap(made.wrapped, context=CONTEXT)
    # It may make keys, and not open them: still not the ciphertext's fault.
    front.always = None
    front.faults.append(Refusal("AccessDeniedException"))
    front.hook = lambda name: (
        front.faults.append(Refusal("AccessDeniedException")) if name == "GenerateDataKey" else None
    )
    with pytest.raises(CredentialsRefused):
        await key_encryption.unwrap(made.wrapped, context=CONTEXT)


async def test_an_outage_is_neither_damage_nor_an_unknown_key(
    key_encryption: AwsKeyEncryption, front: AwsFront
) -> None:
    made = await key_encryption.generate(context=CONTEXT)
    front.always = Refusal("KMSInternalException", 500)
    for use in (
        key_encryption.generate(context=CONTEXT),
        key_encryption.unwrap(made.wrapped, context=CONTEXT),
        key_encryption.rewrap(made.wrapped, context=CONTEXT),
        key_encryption.current(),
    ):
        with pytest.raises(Unavailable):
            await use


@pytest.mark.parametrize("body", [b"{}", b'{"Plaintext": "AAAA", "KeyId": "x"}'])
async def test_an_answer_that_is_not_whole_is_corrupt(
    key_encryption: AwsKeyEncryption, front: AwsFront, body: bytes
) -> None:
    made = await key_encryption.generate(context=CONTEXT)
    front.always = Refusal(status=200, body=body)
    for use in (
        key_encryption.generate(context=CONTEXT),
        key_encryption.unwrap(made.wrapped, context=CONTEXT),
        key_encryption.current(),
    ):
        with pytest.raises(CorruptResponse):
            await use


async def test_a_key_of_another_keeper_is_not_known(key_encryption: AwsKeyEncryption) -> None:
    for kek_id in ("kek_0000000000000000", "arn:aws:s3:::bucket", "alias/x"):
        with pytest.raises(Rejected, match=kek_id) as failed:
            await key_encryption.unwrap(WrappedKey(kek_id, b"x"), context=CONTEXT)
        assert failed.value.code == "kek_unknown"


async def test_health_looks_at_the_key(key_encryption: AwsKeyEncryption) -> None:
    assert isinstance(key_encryption, HealthCheck)
    assert await key_encryption.health() == f"AWS KMS, {await key_encryption.current()}"


@pytest.mark.parametrize(
    "url",
    [
        f"aws-kms://{REGION}",
        f"aws-kms://{REGION}/",
        f"aws-kms://{REGION}/tollkeeper",
        f"aws-kms://{REGION}/alias/aws/secretsmanager",
        f"aws-kms://{REGION}/alias/a b",
        f"aws-secrets://{REGION}/alias/tollkeeper",
        "aws-kms:///alias/tollkeeper",
    ],
)
def test_url_that_names_no_key_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write aws-kms://eu-west-1/alias/tollkeeper"):
        AwsKeyEncryption.from_url(url, environ={})
