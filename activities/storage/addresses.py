"""Which network addresses an input may come from.

A worker stands inside somebody's network: an address given by a user must not become a way to what only
the worker can reach, such as a cloud's metadata service. So only public addresses are fetched from, unless
the one who runs the worker allows a host in the environment variable `HOWDAH_ALLOW_HOSTS`: names, addresses
or networks, separated by commas, e.g. `data.example.org,10.1.2.3,192.168.0.0/16`. A name stands for
whatever it resolves to.
"""

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ALLOW = "HOWDAH_ALLOW_HOSTS"

_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96"),
        *("fec0::/10", "3fff::/20", "5f00::/16", "192.0.0.0/24", "168.63.129.16/32"),
    )
)
"""What Python calls global all the same: addresses that hold another address (NAT64, 6to4, Teredo, IPv4 in IPv6 as it
was once written), site-local and newly reserved ones, and those where clouds answer their own machines only."""


def is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


@dataclass(frozen=True)
class Allowed:
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def from_environment(cls) -> Self:
        return cls.parse(os.environ.get(ALLOW, ""))

    @classmethod
    def parse(cls, text: str) -> Self:
        names: set[str] = set()
        networks: list[Network] = []
        for word in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ip_network(word.strip("[]"), strict=False))
            except ValueError:
                names.add(word.rstrip("."))
        return cls(frozenset(names), tuple(networks))

    def permits(self, host: str, address: str) -> bool:
        """May a connection for `host` go to `address`, one of those it resolved to?"""
        if host.lower().rstrip(".") in self.names:
            return True
        number = ip_address(address.partition("%")[0])
        listed = any(number.version == network.version and number in network for network in self.networks)
        return listed or is_public(number)
