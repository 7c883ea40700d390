"""The URLs of AWS adapters, and the credentials in the host's variables."""

import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers.aws_server import REGION, credentials
from tollkeeper.adapters.aws.addresses import Address, Credentials, duration, parse_aws_url
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
from tollkeeper.domain.errors import ConfigurationError

EXAMPLE = "aws-x://eu-west-1"


def parsed(url: Any) -> tuple[Address, str, Mapping[str, object]]:
    return parse_aws_url(
        url, scheme="aws-x", example=EXAMPLE, port="secret_source", options={"ttl": duration}
    )


def test_a_url_names_the_region_and_the_rest_has_defaults() -> None:
    assert parsed(EXAMPLE) == (Address("eu-west-1", None, 5.0, 8), "", {})


def test_options_are_read() -> None:
    url = (
        "aws-x://us-gov-west-1/a/b%3Ac?endpoint=http://127.0.0.1:5000/&timeout=250ms&pool_size=3"
        "&ttl=2h"
    )
    address = Address("us-gov-west-1", "http://127.0.0.1:5000", 0.25, 3)
    assert parsed(url) == (address, "a/b:c", {"ttl": 7200.0})


@pytest.mark.parametrize(
    "url",
    [
        *("", "aws-x:", "aws-x://", "aws-x:///key", "aws-y://eu-west-1", "eu-west-1"),
        *("aws-x://eu-west-1:80", "aws-x://user@eu-west-1", "aws-x://eu-west", "aws-x://EU-WEST-1"),
        *("aws-x://eu-west-1.evil.com", "aws-x://eu-west-1#a", "aws-x://eu-west-1/%00"),
        *("aws-x://[", None, 7),
    ],
)
def test_what_names_no_region_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="secret_source: write aws-x://eu-west-1"):
        parsed(url)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("timeout=5", "timeout is a number with its unit"),
        ("timeout=0s", "timeout is above 0"),
        ("timeout=6m", "at most 300 seconds"),
        ("ttl=forever", "ttl is a number with its unit"),
        ("pool_size=0", "pool_size is a whole number between 1 and 100"),
        ("pool_size=101", "pool_size is a whole number"),
        ("pool_size=x", "pool_size is a whole number"),
        ("endpoint=ftp://127.0.0.1", "endpoint reads like"),
        ("endpoint=http://", "endpoint reads like"),
        ("endpoint=http://user:pw@127.0.0.1", "endpoint reads like"),
        ("endpoint=http://127.0.0.1:0", "endpoint reads like"),
        ("endpoint=http://127.0.0.1:99999", "endpoint reads like"),
        ("endpoint=http://127.0.0.1/%20a", "endpoint reads like"),
        ("endpoint=http://10.0.0.1:5000", "sends secrets unencrypted"),
        ("endpoint=http://localstack:4566", "sends secrets unencrypted"),
        ("insecure=no", "insecure is yes, or left out"),
        ("region=eu-west-1", "there is no option 'region'; there are endpoint, timeout"),
    ],
)
def test_options_that_read_otherwise_are_named(query: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        parsed(f"{EXAMPLE}?{query}")


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parsed(f"{EXAMPLE}?timeout=x&pool_size=x&colour=red")
    assert len(refused.value.faults) == 3


@pytest.mark.parametrize(
    "endpoint",
    [
        *("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://vpce.example.com"),
        "http://localstack:4566&insecure=yes",
    ],
)
def test_an_endpoint_is_on_this_machine_or_encrypted_or_meant(endpoint: str) -> None:
    assert parsed(f"{EXAMPLE}?endpoint={endpoint}")[0].endpoint == endpoint.partition("&")[0]


def test_credentials_are_those_of_the_variables_and_show_nothing() -> None:
    found = Credentials.of(credentials("AKIAONE"), port="secret_source")
    assert found.access_key == "AKIAONE"
    assert found.secret_key is not None
    assert found.secret_key.reveal() == "secret-access-key-of-AKIAONE"
    assert repr(found) == "Credentials(profile=None)"


def test_without_keys_a_profile_is_taken_or_boto3_looks_by_itself() -> None:
    assert Credentials.of({"AWS_PROFILE": "mine"}, port="x") == Credentials(profile="mine")
    assert Credentials.of({}, port="x") == Credentials()


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "set AWS_SECRET_ACCESS_KEY too"),
        ({"AWS_SECRET_ACCESS_KEY": "hidden-key"}, "set AWS_ACCESS_KEY_ID too"),
    ],
)
def test_half_a_pair_of_credentials_is_refused(environ: dict[str, str], missing: str) -> None:
    with pytest.raises(ConfigurationError, match=missing) as refused:
        Credentials.of(environ, port="secret_source")
    inside = refused.tb.tb_next  # the first frame is this test's own
    told = traceback.TracebackException(refused.type, refused.value, inside, capture_locals=True)
    assert "hidden" not in str(refused.value)
    assert "secret = 'hidden" not in "".join(told.format())


@pytest.mark.parametrize(
    "query", ["/path", "?prefix=a:b", "?prefix=a b", f"?prefix={'x' * 257}", "?ttl=25h"]
)
def test_a_source_of_secrets_has_no_path_and_a_plain_prefix(query: str) -> None:
    with pytest.raises(ConfigurationError, match=r"secret_source: (write|prefix|ttl)"):
        AwsSecretSource.from_url(f"aws-secrets://{REGION}{query}", environ={})


def test_boto3_is_not_loaded_before_an_adapter_is_opened() -> None:
    code = """
import asyncio, os, sys
from tollkeeper.adapters.aws.key_encryption import AwsKeyEncryption
from tollkeeper.adapters.aws.secret_source import AwsSecretSource
before = dict(os.environ)
source = AwsSecretSource.from_url("aws-secrets://eu-west-1", environ={})
keys = AwsKeyEncryption.from_url("aws-kms://eu-west-1/alias/tollkeeper", environ={})
assert not {"boto3", "botocore"} & set(sys.modules)
async def main():
    async with source, keys:
        assert {"boto3", "botocore"} <= set(sys.modules)
asyncio.run(main())
import boto3
assert boto3.DEFAULT_SESSION is None
assert dict(os.environ) == before
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_boto3_is_told_when_the_adapter_is_chosen() -> None:
    code = """
import sys
sys.modules["boto3"] = None  # how Python marks a module that cannot be imported
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.registry import make_adapter
try:
    make_adapter("secret_source", "aws-secrets://eu-west-1", environ={})
except ConfigurationError as error:
    print(error.code, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.stdout == (
        "extra_missing boto3 is not installed; run: pip install 'tollkeeper[aws]'\n"
    ), done.stderr
