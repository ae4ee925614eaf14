"""Which addresses a webhook may have."""

from __future__ import annotations

import pytest

from shared.guard import refusal

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
    "0.0.0.0",  # where a connection ends up on this machine
    "224.0.0.1",
    "::1",
    "::",
    "fc00::1",
    "fd00:ec2::253",
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
def test_public_ones_never(address: str) -> None:
    assert refusal(address, allow_private=False) == ""
