"""Which addresses a webhook may have."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.address_policy import refusal

NEVER = [
    "169.254.0.1",
    "169.254.169.254",
    "169.254.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fd00:ec2::254",
    "fd00:ec2::1",
    "fd00:42::42",
    "192.0.0.192",
    "::ffff:0:169.254.169.254",
    "2001:0:a9fe:a9fe::1",  # Teredo: the server
    "2001::5601:5601",  # Teredo: the client
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:100.100.100.200",
    "64:ff9b::169.254.169.254",
    "64:ff9b::6464:64c8",
    "2002:a9fe:a9fe::1",
    "2002:6464:64c8:1::",
]
PRIVATE = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",  # connects to this machine
    "224.0.0.1",
    "::1",
    "::",
    "fc00::1",
    "fec0::1",
    "2001::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
]


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_metadata_are_always_refused(address: str, allow_private: bool) -> None:
    assert refusal(address, allow_private=allow_private) == f"{address} is a link-local or cloud-metadata address"


@pytest.mark.parametrize("address", PRIVATE)
def test_private_ones_are_refused_where_they_are_not_allowed(address: str) -> None:
    assert refusal(address, allow_private=True) == ""
    assert refusal(address, allow_private=False) == f"{address} is not a public address"


@pytest.mark.parametrize("address", ["8.8.8.8", "169.253.255.255", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_ones_are_never_refused(address: str) -> None:
    assert refusal(address, allow_private=False) == ""


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize(
    "address", ["::169.254.169.254", "::127.0.0.1", "::8.8.8.8", "::2", "64:ff9b:1::1", "64:ff9b:1:a9fe:a9:fe00::"]
)
def test_forms_that_hide_an_ipv4_address_are_always_refused(address: str, allow_private: bool) -> None:
    assert refusal(address, allow_private=allow_private).startswith(f"{address} hides an IPv4 address")


def _inverted(address: int) -> int:
    return address ^ 0xFFFFFFFF


#: The forms of an IPv4 address inside an IPv6 one, made from it and from some bits that may have any value.
FORMS: dict[str, Callable[[int, int], int]] = {
    "itself, mapped": lambda inner, _: 0xFFFF << 32 | inner,
    "translated": lambda inner, _: 0xFFFF << 48 | inner,
    "compatible": lambda inner, _: inner,
    "NAT64": lambda inner, _: 0x64FF9B << 96 | inner,
    "NAT64 of a network's own, /48": lambda inner, _: 0x64FF9B0001 << 80 | inner >> 16 << 64 | (inner & 0xFFFF) << 40,
    "NAT64 of a network's own, /96": lambda inner, free: 0x64FF9B0001 << 80 | free % 2**48 << 32 | inner,
    "6to4": lambda inner, free: 0x2002 << 112 | inner << 80 | free % 2**80,
    "Teredo's server": lambda inner, free: 0x20010000 << 96 | inner << 64 | free % 2**64,
    "Teredo's client": lambda inner, free: 0x20010000 << 96 | free % 2**64 << 32 | _inverted(inner),
}
link_local = st.integers(0, 2**16 - 1).map(lambda low: 0xA9FE << 16 | low)
metadata = st.sampled_from([int(IPv4Address(one)) for one in ("100.100.100.200", "168.63.129.16", "192.0.0.192")])
private = st.one_of(
    st.integers(0, 2**24 - 1).map(lambda low: 10 << 24 | low),
    st.integers(0, 2**24 - 1).map(lambda low: 127 << 24 | low),
    st.integers(0, 2**16 - 1).map(lambda low: 0xC0A8 << 16 | low),
    st.integers(0, 2**20 - 1).map(lambda low: 0xAC1 << 20 | low),
)


@pytest.mark.parametrize("form", FORMS)
@given(link_local | metadata, st.integers(0, 2**128))
def test_no_way_of_writing_it_makes_a_refused_address_usable(form: str, inner: int, free: int) -> None:
    address = IPv6Address(FORMS[form](inner, free))
    for text in (str(address), address.exploded, address.exploded.upper()):
        assert refusal(text, allow_private=True)
        assert refusal(text, allow_private=False)


@pytest.mark.parametrize("form", FORMS)
@given(private, st.integers(0, 2**128))
def test_no_way_of_writing_it_makes_a_private_address_public(form: str, inner: int, free: int) -> None:
    assert refusal(str(IPv6Address(FORMS[form](inner, free))), allow_private=False)
