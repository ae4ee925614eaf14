"""Which addresses a webhook may have (protection against SSRF). Pure; applied to the URL, and to the address of each connection.

Link-local and cloud-metadata addresses are never a webhook: metadata services hand out credentials, so a name that resolves to
one is an attack or a mistake. Private and loopback addresses are allowed unless the operator forbids them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

#: Metadata services that are not link-local: Alibaba, Azure, Oracle; on IPv6 AWS, Scaleway, Google, Oracle.
_METADATA: Final = tuple(
    map(
        ip_network,
        (
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::/32",
            "fd00:42::/32",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
        ),
    )
)
#: Forms of IPv6 that carry an IPv4 address in their last 32 bits: mapped, translated (RFC 2765), and NAT64's usual one.
_CARRIERS: Final = tuple(map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
#: Forms that carry one and that no receiver needs. IPv4-compatible ones are obsolete, but some systems still accept them; where
#: NAT64's local form carries the address is known only to the network that uses it (RFC 8215).
_HIDING: Final = tuple(map(IPv6Network, ("::/96", "64:ff9b:1::/48")))
_LOCAL: Final = frozenset(map(IPv6Address, ("::", "::1")))  # in the first of these networks, but they carry no IPv4 address

IPAddress = IPv4Address | IPv6Address


def refusal(address: str, *, allow_private: bool) -> str:
    """Returns why no connection may be made to this IP address; empty if it is allowed."""
    given = ip_address(address)
    reached = _reached(given)
    if any(one.is_link_local or any(one in network for network in _METADATA) for one in reached):
        return f"{address} is a link-local or cloud-metadata address"
    if any(given in network for network in _HIDING) and given not in _LOCAL:
        return f"{address} hides an IPv4 address in a form that no receiver needs"
    if not allow_private and not all(map(_is_public, reached)):
        return f"{address} is not a public address"
    return ""


def refusal_of_host(host: str, *, allow_private: bool) -> str:
    """Like `refusal`, for a host as it stands in a URL (without brackets); a name is checked when it is resolved."""
    try:
        ip_address(host)
    except ValueError:
        return ""
    return refusal(host, allow_private=allow_private)


def _is_public(address: IPAddress) -> bool:
    site_local = isinstance(address, IPv6Address) and address.is_site_local  # `is_global` is true for these
    return address.is_global and not address.is_multicast and not site_local


def _reached(address: IPAddress) -> tuple[IPAddress, ...]:
    """Returns the addresses that packets reach: some IPv6 addresses carry an IPv4 address, or are routed through one."""
    if isinstance(address, IPv4Address):
        return (address,)
    if any(address in network for network in _CARRIERS):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return (address, *(address.teredo or ()))
