"""Where links out of payloads may lead: to public hosts on https, and to the hosts that the operator has named.

A payload is data from outside, so a link in it must not make this process call our own network (server-side request
forgery). The name is resolved once, every address is checked, and the connection goes to the address that was checked,
so that a name server that answers differently the second time gains nothing. Addresses written into links are refused
in every spelling, public ones too: no vendor serves images from a bare address.

Sources: RFC 6890 and the IANA special-purpose registries; the WHATWG URL standard's "ends in a number" for the
spellings of IPv4 addresses.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

import structlog

from receiver.errors import LinkRefused, VendorUnavailable

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> every address, as text. Raises OSError where the name cannot be resolved."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

RESOLVE_TIMEOUT = 5.0  # seconds
LONGEST_LINK = 8192

_LINK = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?P<target>[/?][^#]*)?(?:#.*)?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORT = {"https": 443, "http": 80}

_INNER_NAMES = frozenset(
    "internal local localhost localdomain lan intranet private corp home arpa onion invalid test example".split()
)
"""Top-level names that never lead to a public host: cloud metadata (`metadata.google.internal`), multicast DNS,
private networks, and the reserved ones of RFC 6761 and RFC 9476."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NEVER_V6 = [ipaddress.IPv6Network(net) for net in "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()]
_NEVER_V4 = [
    ipaddress.IPv4Network(net)
    for net in """100.64.0.0/10 168.63.129.16/32 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 224.0.0.0/4
    240.0.0.0/4""".split()
]
"""Beside what the standard library knows: carrier NAT (also Alibaba's metadata), Azure's wire server, IETF protocols
(also Oracle's metadata), 6to4 relays, benchmarks, multicast, reserved."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PinnedTarget:
    """Where to fetch: `address` is the checked one; `host` goes into Host, SNI and the certificate check; `target` is
    path and query exactly as the link has them, and a secret.
    """

    scheme: str
    host: str
    port: int
    address: str
    target: str = field(repr=False)

    @property
    def url(self) -> str:
        """The address to connect to, without path."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{address}:{self.port}/"

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 section 7.2)."""
        return self.host if self.port == _DEFAULT_PORT[self.scheme] else f"{self.host}:{self.port}"


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address that the operating system knows for a name, in its order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def resolve_public(
    url: str, allow_hosts: frozenset[str] = frozenset(), resolver: Resolver = system_resolver
) -> PinnedTarget:
    """Check a link and pin it to an address. Raises LinkRefused, or VendorUnavailable if the name does not resolve.

    `allow_hosts` holds `host` (any port) or `host:port` in lower case, an IPv6 address in brackets. What it names is
    let through as it is: also http, an address, an inner name, and whatever the name resolves to.
    """
    link = _LINK.fullmatch(url) if len(url) <= LONGEST_LINK and _harmless(url) else None
    if link is None:
        _refuse("not a plain http(s) link", None)
    scheme, host = link["scheme"].lower(), link["host"].lower()
    port = int(link["port"] or _DEFAULT_PORT[scheme])
    if not 1 <= port <= 65535:
        _refuse("not a port", host)
    allowed = host in allow_hosts or f"{host}:{port}" in allow_hosts
    if not allowed:
        _check_public_name(scheme, host, port)
    addresses = await _resolve(host, port, resolver)
    if not allowed:
        for address in addresses:
            if not is_public(address):
                _refuse("resolves to an address that is not public", host)
    target = link["target"] or "/"
    return PinnedTarget(scheme, host, port, str(addresses[0]), target if target[0] == "/" else f"/{target}")


def _harmless(url: str) -> bool:
    """Printable ASCII without what other parsers read differently. Also keeps out Unicode digits and full stops."""
    return all("!" <= character <= "~" for character in url) and "\\" not in url


def _check_public_name(scheme: str, host: str, port: int) -> None:
    if scheme != "https" or port != 443:
        _refuse("not https on port 443", host)
    labels = host.split(".")
    if host.startswith("[") or _NUMBER.fullmatch(labels[-1]):
        _refuse("names an address", host)
    if len(labels) < 2 or len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        _refuse("not a public name", host)
    if labels[-1] in _INNER_NAMES:
        _refuse("an inner name", host)


async def _resolve(host: str, port: int, resolver: Resolver) -> list[Address]:
    """Every address of a host; at least one."""
    try:
        return [ipaddress.ip_address(host.strip("[]"))]
    except ValueError:
        pass  # a name
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await resolver(host, port)
        addresses = [ipaddress.ip_address(text) for text in found]
    except (OSError, UnicodeError, ValueError):  # TimeoutError is an OSError
        addresses = []
    if not addresses:
        raise VendorUnavailable("the image host's name cannot be resolved", unsent=True)
    return addresses


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet, and certainly nowhere else.

    An IPv6 address that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) never is, whatever it holds.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inside = address in _GLOBAL_UNICAST and not any(address in net for net in _NEVER_V6)
        return inside and address.is_global and address.scope_id is None
    return address.is_global and not any(address in net for net in _NEVER_V4)


def _refuse(why: str, host: str | None) -> NoReturn:
    """The reason goes to the operator's log, with the host, for `allow_hosts`; the link itself goes nowhere."""
    log.warning("image link refused", why=why, host=host[:253] if host else None)
    raise LinkRefused("image link refused")
