"""A session of boto3 of one's own, which logs no answer.

At the level DEBUG botocore logs every answer whole: here that would be secrets and data keys.
Nothing of the process is changed for that: the session is given another maker of parsers.
"""

from collections.abc import Mapping
from typing import Any

import boto3.session  # type: ignore[import-untyped]  # it ships no types
import botocore.session  # type: ignore[import-untyped]  # it ships no types
from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types
from botocore.parsers import (  # type: ignore[import-untyped]  # it ships no types
    ResponseParserFactory,
)

from tollkeeper.adapters.aws.addresses import Address, Credentials
from tollkeeper.domain.secret import MASK

_FIRST_REFUSAL = 301


class _Unshown(bytes):
    """A body that can be parsed, and not be shown."""

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__


class _QuietParser:
    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def parse(self, response: Mapping[str, Any], shape: Any) -> Any:
        body = response["body"]
        if isinstance(body, bytes):
            response = {**response, "body": _Unshown(body)}
        try:
            return self._parser.parse(response, shape)
        except Exception:
            status = response["status_code"]
            if status < _FIRST_REFUSAL:
                raise
        # A gateway says no in a format of its own; its status tells enough.
        return {
            "Error": {"Code": str(status), "Message": ""},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }


class _QuietParsers:
    """Stands in the place of botocore's maker of parsers."""

    def __init__(self) -> None:
        self._factory = ResponseParserFactory()

    def set_parser_defaults(self, **defaults: Any) -> None:
        self._factory.set_parser_defaults(**defaults)

    def create_parser(self, protocol: str) -> _QuietParser:
        return _QuietParser(self._factory.create_parser(protocol))


def make_client(service: str, address: Address, credentials: Credentials) -> Any:
    """Make a client of *service*; it reads files and may take half a second.

    It asks once, without retries: the secrets that it fetches are needed now, or are kept anyway.
    """
    inner = botocore.session.Session(profile=credentials.profile)
    inner.register_component("response_parser_factory", _QuietParsers())
    secret, token = credentials.secret_key, credentials.session_token
    session = boto3.session.Session(
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=secret and secret.reveal(),
        aws_session_token=token and token.reveal(),
        region_name=address.region,
        botocore_session=inner,
    )
    return session.client(
        service,
        endpoint_url=address.endpoint,
        config=Config(
            connect_timeout=address.timeout,
            read_timeout=address.timeout,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=address.pool_size,
        ),
    )
