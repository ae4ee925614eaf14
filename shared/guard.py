"""Which addresses a webhook may have. Pure; judged on what stands in the URL, and on the address that a connection is about to be
made to.

Link-local and cloud-metadata addresses are never a webhook, and a name that leads there is an attack or a mistake: what answers
there hands out credentials. Private and loopback addresses are the operator's own business, unless told otherwise.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

#: Metadata services that are not link-local: Alibaba, Azure, then AWS, Google and Oracle on IPv6.
_METADATA: Final = frozenset(
    map(ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe"))
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def refusal(address: str, *, allow_private: bool) -> str:
    """Why no connection may be made to this IP address; empty if it may."""
    judged = _reached(ip_address(address))
    if judged.is_link_local or judged in _METADATA:
        return f"{address} is a link-local or cloud-metadata address"
    if not allow_private and (judged.is_multicast or not judged.is_global):
        return f"{address} is not a public address"
    return ""


def refusal_of_host(host: str, *, allow_private: bool) -> str:
    """The same for a host as it stands in a URL (without brackets); a name is judged when it is resolved."""
    try:
        ip_address(host)
    except ValueError:
        return ""
    return refusal(host, allow_private=allow_private)


def _reached(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Where packets to this address end up: some IPv6 addresses are IPv4 ones in disguise."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
