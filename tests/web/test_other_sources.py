"""Senders other than Didit, over real HTTP: each scheme lets in what is signed, and nothing else gets past it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from receiver.config import load_configuration
from receiver.errors import ConfigurationError, Problem
from tests.support.processes import run
from tests.support.receiver import Receiver, await_that, running, write_configuration

TEXT = "zQ8!pWm4_Ld6sXc1YvTf"
SHARED = "whsec_" + b64encode(bytes(range(7, 39))).decode()
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = "whpk_" + b64encode(ED25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
P256 = ec.derive_private_key(0x5A17_2026_1121_0800, ec.SECP256R1())
KID = "6c5516e1-92dc-479e-a8ff-5a51992e0001"
MAP = {
    "id": "raw.id",
    "type": '"status.updated"',
    "session_id": "raw.session",
    "status": "raw.status",
    "tags": "raw.flags",
    "created_at": "raw.at",
}
RULES: list[dict[str, Any]] = [
    {
        "id": "fake",
        "tags": ["FAKE"],
        "then": [
            {"didit.update_status": {"status": "Declined"}},
            {"didit.decision": {}},
            {"label": {"add": ["seen"]}},
            {"review": {"queue": "q", "reason": "r"}},
        ],
    },
]


class Keys(BaseHTTPRequestHandler):
    """Answers as Plaid's `/webhook_verification_key/get` is described."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append({"path": self.path, **body})
        if body["key_id"] == KID:
            self._answer(200, {"key": jwk(), "request_id": "r"})
        else:
            self._answer(400, {"error_code": "INVALID_WEBHOOK_VERIFICATION_KEY_ID"})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Print nothing."""


def b64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk() -> dict[str, Any]:
    numbers = P256.public_key().public_numbers()
    x, y = (b64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KID, "x": x, "y": y, "expired_at": None}


def generic(verify: dict[str, Any]) -> dict[str, Any]:
    return {"vendor": "generic", "verify": verify, "map": MAP}


def all_sources(keys_url: str) -> dict[str, Any]:
    fetch = {"base_url": keys_url, "client_id": "client-1", "secret": "plaid-secret-1"}
    return {
        "standard": generic({"scheme": "standard-webhooks", "secrets": [SHARED, PUBLIC]}),
        "plain": generic({"preset": "onfido", "secrets": [TEXT]}),
        "stripe": generic({"preset": "stripe", "secrets": [TEXT]}),
        "trulioo": generic({"preset": "trulioo", "secrets": [TEXT]}),
        "plaid": generic({"preset": "plaid", "fetch": fetch}),
        "kwik": generic({"preset": "kwikid", "secrets": [TEXT], "accept_unsigned": True}),
        "open": generic({"scheme": "none", "accept_unsigned": True}),
        "trusted": generic({"scheme": "none", "accept_unsigned": True, "trust": True}),
    }


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    keys = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=keys.serve_forever, daemon=True)
    thread.start()
    given = all_sources(f"http://127.0.0.1:{keys.server_address[1]}")
    vendors = {"didit": {"base_url": "http://127.0.0.1:9", "api_key": "key-1"}}
    policy: dict[str, Any] = {"version": 1, "name": "p", "rules": RULES}
    folder = tmp_path_factory.mktemp("sources")
    with running(folder, policy, sources=given, vendors=vendors, server={"port": 0, "max_body": "64KiB"}) as one:
        yield one
    keys.shutdown()
    keys.server_close()
    thread.join()


COUNT = iter(range(10**6))


def payload(**fields: Any) -> bytes:
    number = next(COUNT)
    return json.dumps({"id": f"e-{number}", "session": f"s-{number}", "status": "In Review", **fields}).encode()


def mac(message: bytes, key: bytes = TEXT.encode()) -> str:
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def standard(body: bytes, at: int, message_id: str = "msg_1") -> dict[str, str]:
    message = f"{message_id}.{at}.".encode() + body
    digest = hmac.new(b64decode(SHARED[6:]), message, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }


def asymmetric(body: bytes, at: int) -> dict[str, str]:
    signature = b64encode(ED25519.sign(f"msg_2.{at}.".encode() + body)).decode()
    return {"webhook-id": "msg_2", "webhook-timestamp": str(at), "webhook-signature": f"v1a,{signature}"}


def stripe(body: bytes, at: int) -> dict[str, str]:
    return {"Stripe-Signature": f"t={at},v1={mac(f'{at}.'.encode() + body)}"}


def plaid(body: bytes, at: int, kid: str = KID) -> dict[str, str]:
    claims = {"iat": at, "request_body_sha256": hashlib.sha256(body).hexdigest()}
    signed = ".".join(b64url(json.dumps(part).encode()) for part in ({"alg": "ES256", "kid": kid}, claims))
    r, s = decode_dss_signature(P256.sign(signed.encode(), ec.ECDSA(SHA256())))
    return {"Plaid-Verification": f"{signed}.{b64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"}


def onfido(body: bytes, at: int) -> dict[str, str]:
    return {"X-SHA2-Signature": mac(body)}


def kwik(body: bytes, at: int) -> dict[str, str]:
    return {"Authorization": TEXT}


def nothing(body: bytes, at: int) -> dict[str, str]:
    return {}


SIGNED = [
    ("standard", standard, "standard-webhooks-v1", 0),
    ("standard", asymmetric, "standard-webhooks-v1a", 1),
    ("plain", onfido, "hmac-sha256", 0),
    ("stripe", stripe, "hmac-sha256", 0),
    ("plaid", plaid, "jwt-es256", None),
    ("kwik", kwik, "static", 0),
    ("open", nothing, "none", None),
]


@pytest.mark.parametrize(("source", "sign", "method", "secret"), SIGNED)
def test_what_is_signed_is_accepted_and_the_receipt_says_how(
    receiver: Receiver, source: str, sign: Any, method: str, secret: int | None
) -> None:
    body, at = payload(flags=["TAG"]), int(time.time())
    answer = receiver.post(body, sign(body, at), source)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "accepted"), answer.text
    document = receiver.event(answer.json()["event_id"])
    receipt = document["receipt"]
    assert (receipt["method"], receipt["secret"]) == (method, secret)
    timed = method in ("standard-webhooks-v1", "standard-webhooks-v1a", "jwt-es256") or source == "stripe"
    assert (receipt["signed_at"] is not None) == timed
    assert any("not signed" in note for note in receipt["notes"]) == (method in ("static", "none"))
    assert document["event"]["tags"] == ["TAG"]
    assert document["event"]["type"] == "status.updated"
    again = receiver.post(body, sign(body, at), source)
    assert again.json() == {"event_id": answer.json()["event_id"], "outcome": "duplicate"}


TIMED = [("standard", standard), ("standard", asymmetric), ("stripe", stripe), ("plaid", plaid)]


def test_every_refusal_of_every_scheme_is_the_same_401(receiver: Receiver) -> None:
    body, now = payload(), int(time.time())
    answers = [receiver.post(body, {}, source) for source, *_ in SIGNED[:-1]]
    answers += [receiver.post(body + b" ", sign(body, now), source) for source, sign, *_ in SIGNED[:5]]
    answers += [receiver.post(body, sign(body, now + off), source) for source, sign in TIMED for off in (-310, 310)]
    answers += [receiver.post(body, {"Authorization": TEXT + "x"}, "kwik"), receiver.post(b"[", {}, "plain")]
    answers += [receiver.post(body, plaid(body, now, "made-up"), "plaid")]
    for source, sign, *_ in SIGNED[:6]:
        twice = list(sign(body, now).items()) * 2
        answers.append(httpx.post(f"{receiver.url}/webhooks/{source}", content=body, headers=twice, timeout=20))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


def test_signed_but_no_object_is_400(receiver: Receiver) -> None:
    at = int(time.time())
    for source, sign, *_ in SIGNED:
        assert receiver.post(b"[1]", sign(b"[1]", at), source).status_code == 400, source


def test_the_cap_comes_before_everything(receiver: Receiver) -> None:
    assert receiver.post(b"x" * 70_000, {}, "open").status_code == 413


def test_plaid_s_key_was_asked_for_once_by_its_id(receiver: Receiver) -> None:
    body = payload()
    for _ in range(3):
        assert receiver.post(body, plaid(body, int(time.time())), "plaid").status_code == 200
    named = [asked for asked in Keys.asked if asked["key_id"] == KID]
    path = "/webhook_verification_key/get"
    assert named == [{"path": path, "client_id": "client-1", "secret": "plaid-secret-1", "key_id": KID}]


def test_a_retry_under_the_same_webhook_id_is_a_duplicate_where_the_body_has_no_id(receiver: Receiver) -> None:
    at = int(time.time())
    body = json.dumps({"session": "s", "n": 1}).encode()
    first = receiver.post(body, standard(body, at, "msg_again"), "standard").json()
    again = receiver.post(body, standard(body, at + 1, "msg_again"), "standard").json()
    other = receiver.post(body, standard(body, at, "msg_other"), "standard").json()
    assert again == {"event_id": first["event_id"], "outcome": "duplicate"}
    assert other["outcome"] == "accepted"


def test_without_any_id_the_body_itself_is_the_key(receiver: Receiver) -> None:
    first, second = (receiver.post(b'{"n": 2}', {}, "open").json() for _ in range(2))
    assert second == {"event_id": first["event_id"], "outcome": "duplicate"}
    assert receiver.post(b'{"n": 3}', {}, "open").json()["outcome"] == "accepted"


def after_harmless_ones(receiver: Receiver, event_id: str) -> dict[str, Any]:
    """The event's actions by name, once those behind the one that may do harm had their turn."""

    def look() -> dict[str, Any] | None:
        found = {action["name"]: action for action in receiver.event(event_id)["actions"]}
        return found if found["didit.decision"]["attempts"] else None

    actions: dict[str, Any] = await_that(look)
    return actions


@pytest.mark.parametrize(("source", "sign"), [("open", nothing), ("kwik", kwik)])
def test_an_unsigned_event_acts_only_where_it_harms_nobody(receiver: Receiver, source: str, sign: Any) -> None:
    body = payload(flags=["FAKE"])
    event_id = receiver.post(body, sign(body, 0), source).json()["event_id"]
    found = after_harmless_ones(receiver, event_id)
    assert found["didit.update_status"]["state"] == "awaiting_approval"
    assert "not signed" in found["didit.update_status"]["reason"]
    assert found["didit.update_status"]["attempts"] == []
    assert found["didit.decision"]["state"] != "awaiting_approval"  # reading harms nobody
    assert {found["label"]["state"], found["review"]["state"]}.isdisjoint({"awaiting_approval"})


@pytest.mark.parametrize(("source", "sign"), [("trusted", nothing), ("plain", onfido)])
def test_a_signed_or_trusted_event_acts(receiver: Receiver, source: str, sign: Any) -> None:
    body = payload(flags=["FAKE"])
    event_id = receiver.post(body, sign(body, 0), source).json()["event_id"]
    states = {action["name"]: action["state"] for action in receiver.event(event_id)["actions"]}
    assert states["didit.update_status"] != "awaiting_approval"


def test_replaying_an_unsigned_event_does_not_let_it_act(receiver: Receiver) -> None:
    body = payload(flags=["FAKE"])
    event_id = receiver.post(body, {}, "open").json()["event_id"]
    done = run("events", "replay", event_id, cwd=receiver.folder)
    assert done.returncode == 0, done.stderr
    actions = [action for action in receiver.event(event_id)["actions"] if action["name"] == "didit.update_status"]
    assert [action["state"] for action in actions] == ["awaiting_approval"] * 2


def test_a_handshake_is_answered_once_it_is_authentic(receiver: Receiver) -> None:
    def shake(**fields: Any) -> tuple[bytes, dict[str, str]]:
        body = json.dumps({"challenge": "E5KU", "type": "URL_VERIFICATION", "token": "t", **fields}).encode()
        return body, {"x-trulioo-signature": mac(body)}

    body, signature = shake()
    for answer in (receiver.post(body, signature, "trulioo"), receiver.post(shake(token=TEXT)[0], {}, "trulioo")):
        assert (answer.status_code, answer.json()) == (200, {"challenge": "E5KU"})
    assert receiver.post(body, {}, "trulioo").status_code == 401
    assert receiver.post(body, {"X-SHA2-Signature": mac(body)}, "plain").json()["outcome"] == "accepted"


@pytest.mark.parametrize(
    ("source", "accepted"),
    [("standard", True), ("plain", True), ("stripe", True), ("kwik", True), ("open", True), ("plaid", False)],
)
def test_send_signs_for_every_scheme_that_can_be_signed(
    receiver: Receiver, tmp_path: Path, source: str, accepted: bool
) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(payload())
    url = f"{receiver.url}/webhooks/{source}"
    done = run("send", source, "--payload", str(file), "--url", url, cwd=receiver.folder)
    if accepted:
        assert (done.returncode, done.stdout[:3]) == (0, "200"), done.stderr
    else:
        assert done.returncode == 2
        assert "private key" in done.stderr


ONFIDO = {"preset": "onfido", "secrets": [TEXT]}
HMAC = {"scheme": "hmac", "header": "X", "secrets": [TEXT]}
JWT = {"scheme": "jwt-es256", "keys": [{**jwk(), "x": "AA"}]}


def problems(tmp_path: Path, source: dict[str, Any]) -> list[Problem]:
    path = write_configuration(tmp_path, sources={"s": source})
    try:
        return list(load_configuration(path).warnings)
    except ConfigurationError as error:
        return list(error.problems)


@pytest.mark.parametrize(
    ("source", "code", "said", "line_holds"),
    [
        (generic({"preset": "onfidoo", "secrets": [TEXT]}), "C006", "did you mean 'onfido'?", '"onfidoo"'),
        (generic({"preset": "shufti", "secrets": [TEXT]}), "C006", "plain hash", '"shufti"'),
        (generic({**ONFIDO, "tolerence": 5}), "C002", "did you mean 'tolerance'?", "tolerence"),
        (generic({"preset": "onfido", "scheme": "none"}), "C003", "remove `scheme`", '"verify"'),
        (generic({"preset": "onfido"}), "C005", "no secret is given", '"verify"'),
        (generic({"scheme": "hmac", "secrets": [TEXT]}), "C008", "'header' is missing", '"verify"'),
        (generic({**HMAC, "secrets": ["changeme-changeme"]}), "C005", "placeholder", "changeme"),
        (generic({**HMAC, "hash": "sha1"}), "C003", "sha256", '"sha1"'),
        (generic({"scheme": "standard-webhooks", "secrets": [TEXT]}), "C005", "must begin with whsec_", TEXT),
        (generic({"scheme": "jwt-es256"}), "C003", "has no key", '"verify"'),
        (generic(JWT), "C005", "x and y", "{"),
        (generic({"scheme": "none"}), "C011", "`accept_unsigned: true`", '"none"'),
        (generic({"scheme": "none", "accept_unsigned": True}), "C011", "wait for approval", '"none"'),
        (generic({"secrets": [TEXT]}), "C008", "'scheme' is missing", '"verify"'),
        ({"vendor": "generic", "verify": ONFIDO}, "C008", "'map' is missing", '"s"'),
        ({**generic(ONFIDO), "map": {"sesion_id": "raw.a"}}, "C002", "'session_id'", "sesion"),
        ({**generic(ONFIDO), "map": {"type": "raw.a +"}}, "C012", "expression", "raw.a +"),
        ({**generic(ONFIDO), "vendor": "didit"}, "C012", "only `vendor: generic`", '"map"'),
    ],
)  # fmt: skip
def test_every_mistake_is_found_before_anything_runs(
    tmp_path: Path, source: dict[str, Any], code: str, said: str, line_holds: str
) -> None:
    found = [problem for problem in problems(tmp_path, source) if problem.code == code]
    assert [problem.message for problem in found if said in problem.message], problems(tmp_path, source)
    line = (tmp_path / "config.yaml").read_text().splitlines()[found[0].line - 1]
    assert line_holds in line
    assert all(TEXT not in problem.message for problem in found)
