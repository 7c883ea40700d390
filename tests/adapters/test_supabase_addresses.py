"""A project and its key are read from a URL; a key that is none of the service is refused."""

import pytest

from tests.servers.postgrest_keys import Keys
from tollkeeper.adapters.supabase.addresses import address_of
from tollkeeper.domain.errors import ConfigurationError

KEYS = Keys()
HOST = "project.supabase.co"


def url_of(key: str, *, host: str = HOST, scheme: str = "https", options: str = "") -> str:
    return f"supabase+{scheme}://service_role:{key}@{host}{options}"


@pytest.mark.parametrize("key", [KEYS.service, KEYS.secret])
def test_a_url_names_the_project_and_the_key(key: str) -> None:
    address = address_of(url_of(key))
    assert address.url == f"https://{HOST}"
    assert address.key.reveal() == key
    assert (address.schema, address.pool_size, address.timeout) == ("tollkeeper", 10, 5.0)
    assert (address.max_rows, address.group) == (1000, True)
    assert key not in repr(address)


def test_options_are_read() -> None:
    options = "?schema=money&pool_size=3&timeout=1.5&max_rows=200&group=off"
    address = address_of(url_of(KEYS.secret, options=options))
    assert (address.schema, address.pool_size, address.timeout) == ("money", 3, 1.5)
    assert (address.max_rows, address.group) == (200, False)


def test_a_key_is_percent_encoded_as_a_password_is() -> None:
    assert address_of(url_of("sb_secret_a%2Fb")).key.reveal() == "sb_secret_a/b"


def test_a_path_and_a_port_are_kept() -> None:
    address = address_of(url_of(KEYS.secret, host="[::1]:8000/project/", scheme="http"))
    assert address.url == "http://[::1]:8000/project"


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "key_missing"),
        ("two%20words", "key_missing"),
        ("hunter2", "key_malformed"),
        ("a.b.c", "key_malformed"),
        (KEYS.anon, "key_not_service"),
        (KEYS.publishable, "key_not_service"),
        (KEYS.user("ann"), "key_not_service"),
    ],
)
def test_a_key_that_is_none_of_the_service_is_refused(key: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        address_of(url_of(key))
    assert caught.value.code == code
    assert "sb_secret_" in caught.value.public_message
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        url_of("sb_secret_canary", host=""),
        url_of("sb_secret_canary", host="project:port"),
        url_of("sb_secret_canary", host="project:0"),
        url_of("sb_secret_canary", options="#fragment"),
        url_of("sb_secret_canary", options="?unknown=1"),
        url_of("sb_secret_canary", options="?timeout=0"),
        url_of("sb_secret_canary", options="?timeout=soon"),
        url_of("sb_secret_canary", options="?pool_size=0"),
        url_of("sb_secret_canary", options="?max_rows=127"),
        url_of("sb_secret_canary", options="?schema=a;b"),
        url_of("sb_secret_canary", options="?group=maybe"),
        url_of("sb_secret_canary", scheme="http"),
    ],
)
def test_what_is_malformed_is_refused_without_the_key_in_the_text(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        address_of(url)
    assert "canary" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


def test_another_machine_is_reached_without_encryption_only_if_that_is_asked_for() -> None:
    url = url_of(KEYS.secret, scheme="http", options="?insecure=yes")
    assert address_of(url).url == f"http://{HOST}"


def test_the_port_that_reads_the_url_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^tables: "):
        address_of(url_of(""), port="tables")
