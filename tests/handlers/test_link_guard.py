"""Which links out of payloads are followed, and to which address."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st

from handlers.guard import PinnedTarget, is_public, resolve_public, system_resolver
from receiver.errors import LinkRefused, VendorUnavailable

PUBLIC = "93.184.215.14"
LINK = "https://images.vendor-cdn.com/a/b.jpg?X-Amz-Signature=s3cr3t&x='|%2F"


class Names:
    """A resolver that gives its answers in turn, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


async def _public(host: str, port: int) -> Sequence[str]:
    return [PUBLIC]


async def test_a_public_link_is_pinned_to_the_address_that_was_checked() -> None:
    """Path and query stay byte for byte; host, SNI and Host header are the link's."""
    target = await resolve_public(LINK, resolver=_public)
    assert target == PinnedTarget(
        "https", "images.vendor-cdn.com", 443, PUBLIC, "/a/b.jpg?X-Amz-Signature=s3cr3t&x='|%2F"
    )
    assert target.url == f"https://{PUBLIC}:443/"
    assert target.authority == "images.vendor-cdn.com"
    assert "s3cr3t" not in repr(target)


async def test_a_name_is_resolved_once() -> None:
    """DNS rebinding: a second, different answer is never asked for."""
    names = Names([PUBLIC], ["127.0.0.1"])
    assert (await resolve_public(LINK, resolver=names)).address == PUBLIC
    assert names.asked == [("images.vendor-cdn.com", 443)]


async def test_an_ipv6_target_is_written_in_brackets() -> None:
    target = await resolve_public(LINK, resolver=Names(["2606:2800:21f:cb07:6820:80da:af6b:8b2c"]))
    assert target.url == "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443/"


SPELLINGS = """
    http://images.vendor-cdn.com/a ftp://images.vendor-cdn.com/a file:///etc/passwd gopher://images.vendor-cdn.com/
    //images.vendor-cdn.com/a images.vendor-cdn.com/a https:images.vendor-cdn.com https:/images.vendor-cdn.com/a
    https:///images.vendor-cdn.com/a https:// https:///a https://?a https://#a javascript:alert(1)
    data:image/png;base64,AAAA
    https://user@images.vendor-cdn.com/ https://user:pw@images.vendor-cdn.com/ https://@images.vendor-cdn.com/
    https://images.vendor-cdn.com@127.0.0.1/ https://127.0.0.1#@images.vendor-cdn.com/ https://127.0.0.1?@images.vendor-cdn.com/
    https://127.0.0.1\\@images.vendor-cdn.com/
    https://images.vendor-cdn.com\\@127.0.0.1/ https:\\\\images.vendor-cdn.com/
    https://images.vendor-cdn.com:8443/ https://images.vendor-cdn.com:80/ https://images.vendor-cdn.com:/
    https://images.vendor-cdn.com:0/ https://images.vendor-cdn.com:99999/ https://images.vendor-cdn.com:443443/
    https://images.vendor-cdn.com:4a3/ https://images.vendor-cdn.com:+443/ https://images.vendor-cdn.com:443:443/
    https://127.0.0.1/ https://127.1/ https://127.0.1/ https://2130706433/ https://017700000001/ https://0x7f000001/
    https://0x7f.1/ https://0x7f.0.0.1/ https://0177.0.0.1/ https://0177.0x0.0.1/ https://127.0.0.1./ https://0/ https://0x/
    https://1.1.1.1/ https://16843009/ https://10.0.0.1/ https://172.16.0.1/ https://192.168.0.1/ https://169.254.169.254/
    https://100.100.100.200/ https://168.63.129.16/ https://0.0.0.0/ https://255.255.255.255/ https://224.0.0.1/
    https://999.999.999.999/ https://1.2.3.4.5/ https://256/ https://99999999999/ https://example.com.0x7f/
    https://[::1]/ https://[::]/ https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/ https://[::127.0.0.1]/
    https://[64:ff9b::7f00:1]/ https://[2002:7f00:1::]/ https://[2001:0:1::1]/ https://[fe80::1%25eth0]/ https://[fe80::1%eth0]/
    https://[fd00:ec2::254]/ https://[2606:4700::1111]/ https://[::1/ https://::1/ https://[v1.a]/ https://[]/ https://[1.2.3.4]/
    https://localhost/ https://LOCALHOST/ https://localhost./ https://a.localhost/ https://metadata/ https://kubernetes/
    https://metadata.google.internal/ https://Metadata.Google.Internal/ https://metadata.google.internal./
    https://instance-data.ec2.internal/ https://printer.local/ https://router.lan/ https://nas.home.arpa/ https://a.corp/
    https://db.svc.cluster.local/ https://hidden.onion/ https://images.vendor-cdn.com./ https://.vendor-cdn.com/
    https://images..vendor-cdn.com/ https://-a.vendor-cdn.com/ https://a-.vendor-cdn.com/ https://a%2evendor-cdn.com/
    https://images.vendor-cdn.com%00.a.com/ https://a*b.vendor-cdn.com/ https://a,b.vendor-cdn.com/ https://a;b.vendor-cdn.com/
""".split()


@pytest.mark.parametrize(
    "url",
    [
        *SPELLINGS,
        "https://１２７.0.0.1/",  # noqa: RUF001 - full-width digits are what is tested
        "https://127。0。0。1/",
        "https://①②⑦.0.0.1/",
        "https://images。vendor-cdn.com/",
        "https://bücher.vendor-cdn.com/",
        "https://٣.vendor-cdn.com/",
        "https://images.vendor-cdn.com/ü",
        " https://images.vendor-cdn.com/",
        "https://images.vendor-cdn.com/\r\nX: y",
        "https://images.vendor-cdn.com/a b",
        "https://images.vendor-cdn.com/\n",
        "https://images.vendor-cdn.com\t/",
        "https://images.vendor-cdn.com/\x00",
        "",
        f"https://{'a' * 64}.vendor-cdn.com/",
        f"https://{'a.' * 130}com/",
        f"https://images.vendor-cdn.com/{'a' * 8192}",
    ],
)
async def test_a_link_that_is_not_plain_public_https_is_refused(url: str) -> None:
    """Nothing is looked up for it, and the error says nothing of the link."""
    names = Names([PUBLIC])
    with pytest.raises(LinkRefused, match=r"\Aimage link refused\Z"):
        await resolve_public(url, resolver=names)
    assert names.asked == []


INNER_ADDRESSES = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
    169.254.0.1 169.254.169.254 169.254.170.2 168.63.129.16 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192
    192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
    240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1
    64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2001:10::1
    2001:20::1 2002:7f00:1:: 2002:808:808:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1
    ff02::1 4000::1 2606:4700::1111%1
""".split()


@pytest.mark.parametrize("address", INNER_ADDRESSES)
async def test_one_inner_address_among_public_ones_refuses_the_link(address: str) -> None:
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(LinkRefused):
            await resolve_public(LINK, resolver=Names(answer))


@pytest.mark.parametrize("address", ["8.8.8.8", PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e"])
def test_ordinary_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.one_of(st.ip_addresses(), st.sampled_from(INNER_ADDRESSES).map(ipaddress.ip_address)))
def test_no_address_is_public_that_is_not_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Property: at least as strict as the standard library, and never an IPv6 address that carries an IPv4 one."""
    if is_public(address):
        assert address.is_global
        kinds = (address.is_private, address.is_multicast, address.is_reserved, address.is_loopback)
        assert not any((*kinds, address.is_link_local, address.is_unspecified))
        if isinstance(address, ipaddress.IPv6Address):
            assert (address.ipv4_mapped, address.sixtofour, address.teredo) == (None, None, None)


@given(st.binary(min_size=4, max_size=4), st.sampled_from(["{}", "::ffff:{}", "::{}", "64:ff9b::{}"]))
def test_no_spelling_of_an_ipv4_address_in_ipv6_is_public(octets: bytes, spelling: str) -> None:
    address = ipaddress.ip_address(spelling.format(ipaddress.IPv4Address(octets)))
    assert not is_public(address) or (address.version == 4 and address.is_global)


@given(st.text(max_size=60), st.sampled_from(["https://", "http://", ""]))
async def test_any_text_whatever_is_refused_or_pinned_to_a_public_address(text: str, start: str) -> None:
    """Property: one exception type; and no look-up of a name that is an address."""
    names = Names([PUBLIC])
    try:
        target = await resolve_public(start + text, resolver=names)
    except LinkRefused:
        return
    assert target.scheme == "https"
    assert target.address == PUBLIC
    assert names.asked == [(target.host, 443)]


@pytest.mark.parametrize(
    ("entry", "url", "address"),
    [
        ("127.0.0.1:9100", "http://127.0.0.1:9100/a", "127.0.0.1"),
        ("127.0.0.1", "http://127.0.0.1:9100/a", "127.0.0.1"),
        ("[::1]:9100", "http://[::1]:9100/a", "::1"),
        ("media.internal", "http://media.internal/a", "10.0.0.7"),
        ("media.internal:443", "https://MEDIA.internal/a", "10.0.0.7"),
        ("images.vendor-cdn.com:8443", "https://images.vendor-cdn.com:8443/a", "10.0.0.7"),
    ],
)
async def test_a_named_host_is_let_through(entry: str, url: str, address: str) -> None:
    target = await resolve_public(url, frozenset([entry]), Names(["10.0.0.7"]))
    assert target.address == address


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("127.0.0.1:9100", "http://127.0.0.1:9101/a"),
        ("127.0.0.1:9100", "http://127.0.0.1/a"),
        ("127.0.0.1:9100", "http://127.1:9100/a"),
        ("127.0.0.1:9100", "http://2130706433:9100/a"),
        ("127.0.0.1:9100", "http://user@127.0.0.1:9100/a"),
        ("127.0.0.1:9100", "http://127.0.0.1:9100@10.0.0.1/a"),
        ("127.0.0.1:9100", "http://[::ffff:127.0.0.1]:9100/a"),
        ("media.internal", "http://x.media.internal/a"),
        ("media.internal", "http://media.internal./a"),
        ("media.internal", "http://xmedia.internal/a"),
        ("images.vendor-cdn.com", "ftp://images.vendor-cdn.com/a"),
    ],
)
async def test_naming_a_host_lets_nothing_else_through(entry: str, url: str) -> None:
    with pytest.raises(LinkRefused):
        await resolve_public(url, frozenset([entry]), Names(["10.0.0.7"]))


@pytest.mark.parametrize("answer", [[], ["not an address"]])
async def test_a_name_without_addresses_is_asked_again_later(answer: list[str]) -> None:
    with pytest.raises(VendorUnavailable):
        await resolve_public(LINK, resolver=Names(answer))


async def test_a_resolver_that_fails_is_asked_again_later() -> None:
    async def broken(host: str, port: int) -> Sequence[str]:
        raise OSError("no name server")

    with pytest.raises(VendorUnavailable):
        await resolve_public(LINK, resolver=broken)


async def test_the_operating_system_is_asked_for_names() -> None:
    assert "127.0.0.1" in await system_resolver("localhost", 443)


async def test_the_reason_is_logged_with_the_host_and_without_the_link() -> None:
    """The operator needs the host for `allow_hosts`; the rest of the link is a secret."""
    with structlog.testing.capture_logs() as logs, pytest.raises(LinkRefused):
        await resolve_public("https://10.0.0.1/face.jpg?sig=s3cr3t")
    assert logs == [
        {"event": "image link refused", "why": "names an address", "host": "10.0.0.1", "log_level": "warning"}
    ]
