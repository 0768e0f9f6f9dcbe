"""Downloading the image that a decision's link names."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from handlers.images import ImageFetcher, image_of, link_is_gone
from receiver.errors import LinkRefused, VendorError, VendorRefused, VendorUnavailable
from tests.support.vendor_stub import VendorStub, answer, reply_id, vendor_stub

JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 100
HOST = "images.example.invalid"  # no name server knows it: whoever asks one again fails


class Names:
    """A resolver that says 127.0.0.1 the first time, and then something else."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return ["127.0.0.1" if self.asked == 1 else "127.0.0.2"]


@pytest.fixture
async def stub() -> AsyncIterator[VendorStub]:
    async with vendor_stub(answer(200, JPEG, content_type="text/html")) as running:
        yield running


@pytest.fixture
async def fetcher(stub: VendorStub) -> AsyncIterator[ImageFetcher]:
    running = ImageFetcher(frozenset([f"127.0.0.1:{stub.port}"]), timeout=10.0, max_image=100_000)
    yield running
    await running.close()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n rest", "image/png"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"II*\x00 rest", "image/tiff"),
        (b"MM\x00* rest", "image/tiff"),
    ],
    ids=reply_id,
)
async def test_an_image_is_known_by_its_content(
    stub: VendorStub, fetcher: ImageFetcher, content: bytes, media_type: str
) -> None:
    """Whatever the header says. The file's name says nothing of the person."""
    stub.reply(answer(200, content, content_type="text/html"))
    image = await fetcher.fetch(f"{stub.url}/faces/jane-doe.gif")
    assert (image.content, image.media_type) == (content, media_type)
    assert image.filename == f"image.{media_type.split('/')[1].replace('jpeg', 'jpg')}"
    assert "xff" not in repr(image)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a rest", b"<svg/>", b"%PDF-1.7", b"RIFF\x10\x00\x00\x00WAVE", b"{}", b"\xff\xd8"]
)
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(VendorRefused, match="not a JPEG, PNG, WebP or TIFF"):
        image_of(content)


async def test_the_request_shows_nothing_of_us(stub: VendorStub, fetcher: ImageFetcher) -> None:
    """No key and no cookie; path and query byte for byte as they were signed."""
    stub.reply(answer(200, JPEG, set_cookie="id=1; Path=/"))
    target = "/a%2Fb/../c?X-Sig=a%2fb+c&x='|{}~%zz&y"
    for _ in range(2):
        await fetcher.fetch(f"{stub.url}{target}#part")
    for seen in stub.seen:
        assert (seen.method, seen.target) == ("GET", target)
        assert seen.headers["host"] == f"127.0.0.1:{stub.port}"
        assert set(seen.headers) <= {"host", "accept", "accept-encoding", "connection", "user-agent"}


async def test_a_refused_link_contacts_nobody(stub: VendorStub) -> None:
    fetcher = ImageFetcher(frozenset([f"127.0.0.1:{stub.port + 1}"]))
    with pytest.raises(LinkRefused, match="image link refused"):
        await fetcher.fetch(f"{stub.url}/a.jpg")
    await fetcher.close()
    assert stub.seen == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(stub: VendorStub, fetcher: ImageFetcher, status: int) -> None:
    stub.reply(answer(status, b"", location=f"{stub.url}/other.jpg"))
    with pytest.raises(VendorRefused, match="redirects are not followed"):
        await fetcher.fetch(f"{stub.url}/a.jpg")
    assert len(stub.seen) == 1


@pytest.mark.parametrize(
    ("status", "gone"),
    [(403, True), (404, True), (410, True), (400, True), (408, False), (429, False), (500, False), (503, False)],
)
async def test_a_link_that_has_aged_is_told_apart_from_trouble(
    stub: VendorStub, fetcher: ImageFetcher, status: int, gone: bool
) -> None:
    """Both may mend: the decision gives a new link on the next attempt."""
    stub.reply(answer(status, b"<Error>expired</Error>"))
    with pytest.raises(VendorUnavailable) as caught:
        await fetcher.fetch(f"{stub.url}/a.jpg")
    assert caught.value.http_status == status
    assert link_is_gone(caught.value) is gone


async def _never_answer(writer: Any) -> None:
    await asyncio.sleep(3)


async def _hang_up_in_the_body(writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n\xff\xd8\xff")
    await writer.drain()


@pytest.mark.parametrize("reply", [b"", _never_answer, _hang_up_in_the_body])
async def test_a_download_that_fails_is_tried_again(stub: VendorStub, reply: Any) -> None:
    stub.reply(reply)
    fetcher = ImageFetcher(frozenset(["127.0.0.1"]), timeout=0.5)
    with pytest.raises(VendorUnavailable) as caught:
        await fetcher.fetch(f"{stub.url}/a.jpg")
    await fetcher.close()
    assert not link_is_gone(caught.value)


@pytest.mark.parametrize("headers", [{}, {"content_encoding": "gzip"}])
async def test_an_image_that_is_too_large_is_refused(
    stub: VendorStub, fetcher: ImageFetcher, headers: dict[str, str]
) -> None:
    """Counted while reading, and unpacked."""
    content = JPEG[:4] + b"\x00" * 100_000
    stub.reply(answer(200, gzip.compress(content) if headers else content, **headers))
    with pytest.raises(VendorRefused, match="larger than 100000 bytes"):
        await fetcher.fetch(f"{stub.url}/a.jpg")


async def test_an_image_of_just_the_largest_size_is_taken(stub: VendorStub, fetcher: ImageFetcher) -> None:
    content = JPEG[:4] + b"\x00" * 99_996
    stub.reply(answer(200, content))
    assert len((await fetcher.fetch(f"{stub.url}/a.jpg")).content) == 100_000


async def test_a_changing_name_server_gains_nothing(stub: VendorStub) -> None:
    """DNS rebinding: the connection goes to the address that was checked, without a second look-up."""
    names = Names()
    fetcher = ImageFetcher(frozenset([HOST.upper()]), resolver=names)
    await fetcher.fetch(f"http://{HOST}:{stub.port}/a.jpg")
    await fetcher.close()
    assert names.asked == 1
    assert stub.seen[0].headers["host"] == f"{HOST}:{stub.port}"


@pytest.fixture
def certify(tmp_path: Path) -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """A function that gives a server's and a client's TLS side for a certificate in some name."""

    def build(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        file = tmp_path / f"{name}.pem"
        file.write_bytes(
            pem
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(file)
        return server, ssl.create_default_context(cadata=pem.decode())

    return build


async def _names(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_the_certificate_is_checked_for_the_links_name(
    certify: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]],
) -> None:
    """Although the connection goes to a bare address: SNI and the check use the name."""
    server, client = certify(HOST)
    async with vendor_stub(answer(200, JPEG), tls=server) as stub:
        fetcher = ImageFetcher(frozenset([HOST]), resolver=_names, tls=client)
        image = await fetcher.fetch(f"https://{HOST}:{stub.port}/a.jpg")
        await fetcher.close()
    assert image.media_type == "image/jpeg"


@pytest.mark.parametrize("asked", ["other.example.invalid", HOST])
async def test_a_certificate_in_another_name_is_not_accepted(
    certify: Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]], asked: str
) -> None:
    """Also not over a connection that was opened a moment ago for the name it does hold."""
    server, client = certify(HOST if asked != HOST else "other.example.invalid")
    held = HOST if asked != HOST else "other.example.invalid"
    async with vendor_stub(answer(200, JPEG), tls=server) as stub:
        fetcher = ImageFetcher(frozenset([HOST, "other.example.invalid"]), resolver=_names, tls=client)
        await fetcher.fetch(f"https://{held}:{stub.port}/a.jpg")
        with pytest.raises(VendorUnavailable, match="connection failed"):
            await fetcher.fetch(f"https://{asked}:{stub.port}/a.jpg")
        await fetcher.close()
    assert len(stub.seen) == 1


async def test_no_link_shows_in_an_error_or_a_log(
    stub: VendorStub, fetcher: ImageFetcher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    texts = []
    for reply in (answer(404), b"", answer(302, b"", location="http://h.example.invalid/?s3cr3t"), answer(200, b"no")):
        stub.reply(reply)
        with pytest.raises(VendorError) as caught:
            await fetcher.fetch(f"{stub.url}/a.jpg?sig=s3cr3t")
        texts += [repr(caught.value), repr(vars(caught.value)), repr(caught.value.__context__)]
    assert "s3cr3t" not in "".join([*texts, caplog.text])
