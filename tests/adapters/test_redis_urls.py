"""What a Redis URL says, and what is wrong with it: all at once, and never with the password."""

import pytest
from attrs import evolve

from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.urls import RedisUrl, parse_redis_url
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

PLAIN = RedisUrl("single", (("localhost", 6379),))
THREE = (("a", 7000), ("b", 7001), ("c", 6379))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://localhost", PLAIN),
        ("redis://localhost/", PLAIN),
        ("redis://localhost:6380/15", evolve(PLAIN, nodes=(("localhost", 6380),), db=15)),
        ("redis://[::1]:1/0", evolve(PLAIN, nodes=(("::1", 1),))),
        ("redis://app@localhost", evolve(PLAIN, user="app")),
        ("redis://:p%40%3A%2F@localhost", evolve(PLAIN, password=Secret("p@:/"))),
        ("redis://a%40b:p:q@localhost", evolve(PLAIN, user="a@b", password=Secret("p:q"))),
        ("rediss://localhost", evolve(PLAIN, tls=True)),
        (
            "redis+cluster://a:7000,b:7001,c?tls=true&ca_file=/ca.pem",
            RedisUrl("cluster", THREE, tls=True, ca_file="/ca.pem"),
        ),
        (
            "redis+sentinel://:pw@a,b:7001/main/3",
            RedisUrl(
                "sentinel",
                (("a", 26379), ("b", 7001)),
                password=Secret("pw"),
                master="main",
                db=3,
            ),
        ),
        (
            "redis://localhost?pool_size=5&timeout=0.5&namespace=a.b-c",
            evolve(PLAIN, pool_size=5, timeout=0.5, acquire_timeout=0.5, namespace="a.b-c"),
        ),
        (
            "redis://localhost?timeout=3&acquire_timeout=1",
            evolve(PLAIN, timeout=3.0, acquire_timeout=1.0),
        ),
    ],
)
def test_a_url_says_where_redis_is_and_how_to_talk_to_it(url: str, said: RedisUrl) -> None:
    assert parse_redis_url(url, port="cache") == said


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        ("redis:/localhost", "must read like"),
        ("valkey://localhost", "must read like"),
        ("redis://", "name a host"),
        ("redis://[::1", "must read like"),
        ("redis://host:0", "between 1 and 65535"),
        ("redis://host:99999", "between 1 and 65535"),
        ("redis://host:six", "between 1 and 65535"),
        ("redis://a,b", "redis+cluster"),
        ("redis://host/one", "number of a database"),
        ("redis://host/-1", "number of a database"),
        ("redis+cluster://host/1", "one database only"),
        ("redis+sentinel://host", "name of the master"),
        ("redis://host?pool_size=0", "pool_size"),
        ("redis://host?pool_size=1e3", "pool_size"),
        ("redis://host?timeout=-1", "timeout"),
        ("redis://host?timeout=nan", "timeout"),
        ("redis://host?timeout=inf", "timeout"),
        ("redis://host?acquire_timeout=soon", "acquire_timeout"),
        ("redis://host?namespace=a:b", "namespace"),
        ("redis://host?namespace={a}", "namespace"),
        ("redis://host?tls=yes", "tls is true or false"),
        ("redis://host?ca_file=/ca.pem", "need rediss"),
        ("redis://host?max_connections=5", "no option 'max_connections'"),
        ("redis://host/0#part", "%23"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_before_anything_is_sent(rest: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        RedisConnections.from_url(rest, port="cache")
    assert fault in str(refused.value)
    assert str(refused.value).startswith("cache: ")


def test_all_faults_are_named_at_once_and_the_password_never() -> None:
    url = "redis://app:hunter2@a,b:0/x?pool_size=0&timeout=never&colour=red"
    with pytest.raises(ConfigurationError) as refused:
        parse_redis_url(url, port="rate_limiter")
    said = str(refused.value)
    for fault in ("name a host", "number of a database", "pool_size", "timeout", "colour"):
        assert fault in said
    assert "hunter2" not in said
    assert "hunter2" not in repr(parse_redis_url("redis://app:hunter2@host", port="cache"))
