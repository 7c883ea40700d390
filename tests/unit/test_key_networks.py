"""A key's networks are told apart from what is none, and so is what lies in them."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import MOST_NETWORKS, Network, checked_networks, is_within


def test_networks_are_put_in_order_once_each() -> None:
    texts = ["2001:db8::/32", "203.0.113.0/24", "10.0.0.1", "2001:DB8:0::/32", "::1"]
    expected = ("10.0.0.1/32", "203.0.113.0/24", "::1/128", "2001:db8::/32")
    networks = checked_networks([*texts, ip_network("10.0.0.1/32")])
    assert tuple(map(str, networks)) == expected
    assert checked_networks(set(networks)) == networks
    assert checked_networks(()) == ()


@pytest.mark.parametrize(
    "network",
    [
        *(
            "",
            "x",
            "10.0.0.1/24",
            "10.0.0.0/33",
            "10.0.0/24",
            "010.0.0.0/8",
            "2001:db8::1/32",
            " ::1",
        ),
        *("fe80::%eth0/64", "fe80::1%eth0", "fe80::%1/64", ip_network("fe80::%eth0/64")),
        *("::1/-1", "10.0.0.0/8/8", "\n", "a\x1b[31m", None, 5, b"10.0.0.0/8", 10.0),
    ],
    ids=repr,
)
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_networks([network])
    assert refused.value.code == "invalid_network"
    assert str(refused.value).isprintable()


def test_networks_are_a_list_of_so_many() -> None:
    many = [f"10.0.0.{n}" for n in range(MOST_NETWORKS + 1)]
    assert len(checked_networks(many[:-1])) == MOST_NETWORKS
    for networks in (many, "10.0.0.0/8", None, 5, {"10.0.0.0/8": 1}, iter(many[:1])):
        with pytest.raises(InvalidRequest) as refused:
            checked_networks(networks)  # type: ignore[arg-type]  # what is refused
        assert refused.value.code == "invalid_network"


NETWORKS = checked_networks(["10.0.0.0/8", "203.0.113.7", "2001:db8::/32", "fe80::/64"])


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("9.255.255.255", False),
        ("203.0.113.7", True),
        ("203.0.113.8", False),
        ("2001:db8::", True),
        ("2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db9::", False),
        ("::ffff:10.1.2.3", True),  # IPv4 as a socket of both kinds tells it
        ("::ffff:a01:203", True),
        ("::ffff:11.0.0.0", False),
        ("::10.1.2.3", False),  # another notation, long out of use, for no IPv4 address
        ("fe80::1%eth0", True),  # whichever of our own links it came by
        ("fe80:0:0:1::%eth0", False),
        ("::ffff:10.1.2.3%eth0", True),
    ],
)
def test_an_address_lies_within_its_network(address: str, within: bool) -> None:
    assert is_within(address, NETWORKS) is within


@pytest.mark.parametrize(
    "address",
    [
        *(
            None,
            "",
            "x",
            "10.0.0",
            "10.0.0.1/8",
            "010.0.0.1",
            "10.0.0.1 ",
            "10.0.0.1\n",
            "10.0.0.1:80",
        ),
        *(
            "[2001:db8::1]",
            "unknown",
            "2001:db8::1%",
            "\u0661\u0660.0.0.1",
            167772161,
            b"10.0.0.1",
            [],
        ),
    ],
    ids=repr,
)
def test_what_is_no_address_lies_nowhere(address: str) -> None:
    assert not is_within(address, NETWORKS)
    assert is_within(address, ())


@given(st.text() | st.none(), st.sampled_from([NETWORKS, NETWORKS[:1]]))
def test_no_text_is_an_exception(address: str | None, networks: tuple[Network, ...]) -> None:
    assert is_within(address, networks) in (True, False)
