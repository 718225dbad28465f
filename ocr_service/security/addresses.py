"""Addresses that documents may be fetched from: the public internet and an allowlist."""

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import Self

import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The part of IPv6 that is allocated for the internet. Everything outside it is reserved.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# NAT64 connects to the IPv4 address in the last four bytes (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
# Reserved too, although some versions of `ipaddress` treat them as global.
_RESERVED: tuple[Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # services of Azure for its machines
    IPv4Network("192.0.0.0/24"),  # protocol assignments; metadata of Oracle Cloud
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv6Network("2001::/23"),  # protocol assignments, such as Teredo, which embeds an IPv4 address
    IPv6Network("2002::/16"),  # 6to4, which embeds an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)

# The last label must have a letter, because resolvers treat numbers as addresses.
_NAME = re.compile(r"([a-z0-9_-]{1,63}\.)*(?=[0-9_-]*[a-z])[a-z0-9_-]{1,63}")
_WILDCARD = "*."


def is_public(address: Address) -> bool:
    """Return whether the address belongs to one host on the public internet."""
    address = _unwrapped(address)
    is_unicast = not address.is_multicast if address.version == 4 else address in _GLOBAL_UNICAST
    return is_unicast and address.is_global and not any(address in network for network in _RESERVED)


def _unwrapped(address: Address) -> Address:
    """Return the IPv4 address that is embedded in an IPv6 address, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Hosts and networks that are allowed beside the public internet.

    names: host names in lower case, encoded with IDNA. suffixes: such as `.example.com`.
    """

    names: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse host names, `*.suffix`, addresses and networks. Raises ValueError for an invalid entry.

        The error has only the number of the entry, because a wrong entry may be a secret.
        """
        names: list[str] = []
        networks: list[Network] = []
        for number, entry in enumerate(re.findall(r"[^,\s]+", text), start=1):
            if network := _network(entry):
                networks.append(network)
            elif name := _name(entry):
                names.append(name)
            else:
                raise ValueError(f"entry {number} is not a host name, *.suffix, address or network")
        wildcards = [name for name in names if name.startswith(_WILDCARD)]
        suffixes = tuple(name.removeprefix("*") for name in wildcards)
        return cls(frozenset(names).difference(wildcards), suffixes, tuple(networks))

    def allows_name(self, host: str) -> bool:
        """Return whether a host with this name is allowed at any address."""
        host = host.removesuffix(".")
        return host in self.names or host.endswith(self.suffixes)

    def allows_address(self, address: Address) -> bool:
        """Return whether the address is public or in an allowed network."""
        forms = {address, _unwrapped(address)}
        is_listed = any(form in network for form in forms for network in self.networks)
        return is_listed or is_public(address)


def _network(entry: str) -> Network | None:
    bracketed = entry.startswith("[") and entry.endswith("]")
    try:
        return ip_network(entry[1:-1] if bracketed else entry)
    except ValueError:
        return None


def _name(entry: str) -> str | None:
    """Return the name in the form of a parsed URL, so that both can be compared."""
    prefix = _WILDCARD if entry.startswith(_WILDCARD) else ""
    try:
        url = httpx.URL(scheme="http", host=entry.removeprefix(prefix).removesuffix("."))
    except httpx.InvalidURL:
        return None
    name = url.raw_host.decode("ascii")
    return prefix + name if _NAME.fullmatch(name) else None
