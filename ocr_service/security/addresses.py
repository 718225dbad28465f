"""Which addresses may be reached for a caller: those of the public internet, and those that are opened."""

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

# All of IPv6 that is given out for the internet; everything outside is special in one way or another.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Holds an IPv4 address in its last four bytes, which NAT64 then connects to (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
# Special too, though some release of Python's `ipaddress` takes them for global.
_SPECIAL: tuple[Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # Azure's services for its machines
    IPv4Network("192.0.0.0/24"),  # protocols' own; Oracle's metadata
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),  # protocols' own: Teredo, which holds an IPv4 address, and others
    IPv6Network("2002::/16"),  # 6to4, which holds an IPv4 address
    IPv6Network("3fff::/20"),  # for documentation
)

# The last label has a letter: what has none is a number, and resolvers take numbers for addresses.
_NAME = re.compile(r"([a-z0-9_-]{1,63}\.)*(?=[0-9_-]*[a-z])[a-z0-9_-]{1,63}")
_ANY_BELOW = "*."


def is_public(address: Address) -> bool:
    """Whether the address is one host's on the public internet."""
    address = _meant(address)
    one_hosts = not address.is_multicast if address.version == 4 else address in _GLOBAL_UNICAST
    return one_hosts and address.is_global and not any(address in network for network in _SPECIAL)


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one only wraps."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address


@dataclass(frozen=True, slots=True)
class Allowlist:
    """What is opened beside the public internet.

    names: hosts, in lower case and IDNA's letters. below: ends of names, such as `.example.com`.
    """

    names: frozenset[str] = frozenset()
    below: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read host names, `*.` and the end of names, addresses and networks; ValueError says which is none.

        The error tells the entry's number: what stands there by mistake may be a secret.
        """
        names: list[str] = []
        networks: list[Network] = []
        for number, entry in enumerate(re.findall(r"[^,\s]+", text), start=1):
            if network := _network(entry):
                networks.append(network)
            elif name := _name(entry):
                names.append(name)
            else:
                raise ValueError(f"entry {number} is no host name, *.suffix, address or network")
        below = [name for name in names if name.startswith(_ANY_BELOW)]
        whole = frozenset(names).difference(below)
        return cls(whole, tuple(name.removeprefix("*") for name in below), tuple(networks))

    def allows_name(self, host: str) -> bool:
        """Whether a host of this name may be reached wherever it is."""
        host = host.removesuffix(".")
        return host in self.names or host.endswith(self.below)

    def allows_address(self, address: Address) -> bool:
        """Whether the address is public, or opened."""
        forms = {address, _meant(address)}
        opened = any(form in network for form in forms for network in self.networks)
        return opened or is_public(address)


def _network(entry: str) -> Network | None:
    bracketed = entry.startswith("[") and entry.endswith("]")
    try:
        return ip_network(entry[1:-1] if bracketed else entry)
    except ValueError:
        return None


def _name(entry: str) -> str | None:
    """Return the name as it stands in URLs that have been read, so that the two can be compared."""
    prefix = _ANY_BELOW if entry.startswith(_ANY_BELOW) else ""
    try:
        url = httpx.URL(scheme="http", host=entry.removeprefix(prefix).removesuffix("."))
    except httpx.InvalidURL:
        return None
    name = url.raw_host.decode("ascii")
    return prefix + name if _NAME.fullmatch(name) else None
