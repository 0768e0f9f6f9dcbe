"""Didit's scheme: only a whole body that is signed and fresh gets in."""

from __future__ import annotations

import json
import re
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest

from receiver.contract import Verified
from receiver.errors import PayloadRejected, SignatureRejected
from receiver.signatures import didit
from receiver.signatures.headers import single
from receiver.signatures.scheme import Checked, Headers
from receiver.signatures.settings import DiditVerify
from receiver.signatures.table import scheme_of, sign
from tests.support.didit_wire import SECRET, mac, sample, simple_message, wire

OLD_SECRET = "r1W6-invented-Bt83nMq0Xv_Kd5Ja9Gs2Ly7Ep4Uh"
PAYLOAD = sample("v3_attack")
NOW: int = PAYLOAD["timestamp"]
BODY = wire(PAYLOAD)
RAW = (b"x-signature", mac(BODY))
FRESH = (b"x-timestamp", str(NOW).encode())

ACCENTS = {**sample("accents_and_numbers"), "timestamp": NOW}
ACCENTS_BODY = wire(ACCENTS)
PRETTY_BODY = json.dumps(ACCENTS, indent=2, ensure_ascii=False).encode()  # what a proxy may make of it


def check(headers: Headers, body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), now: int = NOW) -> Checked:
    return didit.verify(headers, body, secrets, now, 300)


def reason(headers: Headers, body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), now: int = NOW) -> str:
    with pytest.raises(SignatureRejected) as caught:
        check(headers, body, secrets=secrets, now=now)
    return caught.value.reason


def signed(changes: dict[str, Any], *, without: tuple[str, ...] = ()) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A body with other fields, and its raw signature."""
    payload = {key: value for key, value in {**PAYLOAD, **changes}.items() if key not in without}
    body = json.dumps(payload).encode()
    return body, [(b"x-signature", mac(body))]


def test_a_delivery_as_didit_sends_it() -> None:
    headers = [
        (b"content-type", b"application/json"),
        RAW,
        (b"x-signature-v2", mac(wire(PAYLOAD, escaped=False))),
        (b"x-signature-simple", mac(simple_message(PAYLOAD))),
        FRESH,
        (b"user-agent", b"DiditWebhook/2.0 +https://didit.me"),
    ]
    checked = check(headers)
    assert checked.verified == Verified("x-signature", 0, NOW, ())
    assert checked.payload == PAYLOAD
    assert scheme_of(DiditVerify(scheme="didit", secrets=(SECRET,)))([RAW, FRESH], BODY, NOW) == check([RAW, FRESH])


@pytest.mark.parametrize(
    ("name", "message", "method"),
    [
        (b"x-signature", ACCENTS_BODY, "x-signature"),
        (b"X-Signature", ACCENTS_BODY, "x-signature"),
        (b"x-signature-v2", wire(ACCENTS, escaped=False), "x-signature-v2"),
        (b"X-SIGNATURE-V2", wire(ACCENTS, escaped=True), "x-signature-v2"),
        (b"x-signature-previous", ACCENTS_BODY, "x-signature-previous"),
        (b"x-signature-v2-previous", wire(ACCENTS, escaped=False), "x-signature-v2-previous"),
        (b"x-signature-v2-previous", wire(ACCENTS, escaped=True), "x-signature-v2-previous"),
    ],
)
def test_each_whole_body_method_is_enough_by_itself(name: bytes, message: bytes, method: str) -> None:
    assert check([(name, mac(message))], ACCENTS_BODY).verified == Verified(method, 0, NOW, ())
    assert check([(name, mac(message).upper())], ACCENTS_BODY).verified.method == method


@pytest.mark.parametrize("escaped", [True, False])
def test_v2_survives_a_proxy_that_re_encodes_the_body_and_the_raw_failure_is_noted(escaped: bool) -> None:
    headers = [(b"x-signature", mac(ACCENTS_BODY)), (b"x-signature-v2", mac(wire(ACCENTS, escaped=escaped))), FRESH]
    verified = check(headers, PRETTY_BODY).verified
    assert verified == Verified("x-signature-v2", 0, NOW, ("x-signature does not verify",))
    assert reason(headers[:1], PRETTY_BODY) == "mismatch"


@pytest.mark.parametrize("garbage", [b"0" * 64, b"", b"garbage", b"\xff" * 64, mac(BODY, OLD_SECRET)])
@pytest.mark.parametrize("name", [b"x-signature-v2", b"x-signature-previous", b"x-signature-v2-previous"])
def test_a_header_that_fails_beside_the_raw_one_is_noted(name: bytes, garbage: bytes) -> None:
    assert check([(name, garbage), RAW]).verified.notes == (f"{name.decode()} does not verify",)


def test_a_v2_header_that_repeats_the_raw_signature_is_not_worth_a_second_look() -> None:
    """In Didit's wire form an ASCII body has the same value in both, so the common case canonicalises nothing."""
    body, headers = signed({"vendor_data": "not in the wire form"})
    assert check([*headers, (b"x-signature-v2", mac(body))], body).verified.notes == ()
    assert reason([(b"x-signature-v2", mac(body))], body) == "mismatch"


def test_a_v2_of_a_non_ascii_body_beside_its_raw_signature_is_no_fault() -> None:
    headers = [(b"x-signature", mac(ACCENTS_BODY)), (b"x-signature-v2", mac(wire(ACCENTS, escaped=False)))]
    assert check(headers, ACCENTS_BODY).verified == Verified("x-signature", 0, NOW, ())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "no-signature"),
        ([FRESH, (b"authorization", b"Bearer x"), (b"x-didit-signature", mac(BODY))], "no-signature"),
        ([(b"x-signature-simple", mac(simple_message(PAYLOAD)))], "simple-only"),
        ([(b"x-signature-simple-previous", mac(simple_message(PAYLOAD)))], "simple-only"),
        ([(b"x-signature", mac(simple_message(PAYLOAD)))], "mismatch"),
        ([(b"x-signature-v2", mac(simple_message(PAYLOAD)))], "mismatch"),
        ([(b"x-signature", mac(BODY, OLD_SECRET))], "mismatch"),
        ([(b"x-signature", b"0" * 64), (b"x-didit-test-webhook", b"true")], "mismatch"),
        ([(b"x-didit-test-webhook", b"true")], "no-signature"),
        ([(b"x-signature-v2", mac(f"{NOW}:".encode() + BODY))], "mismatch"),
        ([RAW, RAW], "header-repeated"),
        ([RAW, (b"X-Signature", mac(BODY))], "header-repeated"),
        ([RAW, (b"x-signature-v2", b"1"), (b"X-signature-V2", b"1")], "header-repeated"),
        ([RAW, (b"x-signature-simple", b"1"), (b"x-signature-simple", b"1")], "header-repeated"),
        ([RAW, FRESH, FRESH], "header-repeated"),
    ],
)
def test_not_signed(headers: Headers, expected: str) -> None:
    assert reason(headers) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        mac(BODY)[:-1],
        mac(BODY) + b"0",
        mac(BODY) + b"\n",
        b" " + mac(BODY),
        b"sha256=" + mac(BODY),
        b"v1=" + mac(BODY),
        b"0x" + mac(BODY)[2:],
        mac(BODY) + b", " + mac(BODY),
        b"g" * 64,
        b"\x00" * 64,
        "é".encode() * 32,
        "\uff10".encode() * 64,
        bytes.fromhex(mac(BODY).decode()),
    ],
)
@pytest.mark.parametrize(
    "name", [b"x-signature", b"x-signature-v2", b"x-signature-previous", b"x-signature-v2-previous"]
)
def test_only_64_hex_digits_are_a_signature(name: bytes, value: bytes) -> None:
    assert reason([(name, value)]) == "malformed"


def test_an_altered_decision_is_refused_though_simple_still_verifies() -> None:
    altered = wire({**PAYLOAD, "decision": {**PAYLOAD["decision"], "liveness_checks": []}})
    headers = [RAW, (b"x-signature-v2", mac(BODY)), (b"x-signature-simple", mac(simple_message(PAYLOAD))), FRESH]
    assert reason(headers, altered) == "mismatch"


def test_the_string_that_simple_signs_is_no_delivery() -> None:
    body = simple_message(PAYLOAD)
    headers = [(b"x-signature", mac(body)), (b"x-signature-v2", mac(body))]
    with pytest.raises(PayloadRejected):
        check(headers, body)
    assert reason(headers[1:], body) == "mismatch"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'\xef\xbb\xbf{"timestamp":1}',
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body)[:30],
)
def test_a_body_that_is_no_object_is_400_when_signed_and_401_when_not(body: bytes) -> None:
    with pytest.raises(PayloadRejected):
        check([(b"x-signature", mac(body))], body)
    assert reason([(b"x-signature", mac(b"other"))], body) == "mismatch"
    assert reason([(b"x-signature-v2", mac(body))], body) == "mismatch"


@pytest.mark.parametrize(
    ("secrets", "key", "index"),
    [
        ((SECRET, OLD_SECRET), SECRET, 0),
        ((SECRET, OLD_SECRET), OLD_SECRET, 1),
        (("", SECRET), SECRET, 1),
        (("\udcff-surrogate-from-the-environment", SECRET), SECRET, 1),
    ],
)
def test_all_secrets_are_tried(secrets: tuple[str, ...], key: str, index: int) -> None:
    assert check([(b"x-signature", mac(BODY, key))], secrets=secrets).verified.secret == index


def test_a_receiver_with_the_old_secret_lives_through_a_rotation() -> None:
    headers = [RAW, (b"x-signature-previous", mac(BODY, OLD_SECRET))]
    assert check(headers, secrets=(OLD_SECRET,)).verified == Verified(
        "x-signature-previous", 0, NOW, ("x-signature does not verify",)
    )
    assert reason([RAW], secrets=(OLD_SECRET,)) == "mismatch"  # the overlap is over


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_nothing_verifies(secrets: tuple[str, ...]) -> None:
    assert reason([(b"x-signature", mac(BODY, ""))], secrets=secrets) == "mismatch"


@pytest.mark.parametrize(
    ("offset", "expected"), [(-301, "timestamp-ahead"), (-300, None), (0, None), (300, None), (301, "timestamp-old")]
)
def test_the_body_may_be_300_seconds_away_in_both_directions(offset: int, expected: str | None) -> None:
    if expected:
        assert reason([RAW, FRESH], now=NOW + offset) == expected
    else:
        assert check([RAW, FRESH], now=NOW + offset).verified.signed_at == NOW


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (None, "timestamp-malformed"),
        ("", "timestamp-malformed"),
        (str(NOW), "timestamp-malformed"),
        (float(NOW), "timestamp-malformed"),
        (True, "timestamp-malformed"),
        ([NOW], "timestamp-malformed"),
        (-NOW, "timestamp-malformed"),
        (NOW * 1000, "timestamp-ahead"),
        (10**38, "timestamp-ahead"),
        (0, "timestamp-old"),
    ],
)
@pytest.mark.parametrize("field", ["timestamp", "created_at"])
def test_another_kind_of_time_is_refused(field: str, timestamp: object, expected: str) -> None:
    body, headers = signed({field: timestamp}, without=("timestamp",) if field == "created_at" else ())
    assert reason(headers, body) == expected


def test_created_at_decides_only_where_timestamp_is_absent() -> None:
    body, headers = signed({"created_at": NOW - 250}, without=("timestamp",))
    assert check([*headers, (b"x-timestamp", str(NOW - 250).encode())], body).verified.signed_at == NOW - 250
    assert reason([*headers, FRESH], body) == "timestamp-differs"
    body, headers = signed({}, without=("timestamp", "created_at"))
    assert reason([*headers, FRESH], body) == "timestamp-missing"
    body, headers = signed({"timestamp": 0, "created_at": NOW})
    assert reason(headers, body) == "timestamp-old"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        str(NOW + 1).encode(),
        f"+{NOW}".encode(),
        f" {NOW}".encode(),
        f"{NOW}\n".encode(),
        f"0{NOW}".encode(),
        f"{NOW}.0".encode(),
        f"{NOW}_0".encode(),
        f"{NOW},{NOW}".encode(),
        str(NOW).translate({ord(digit): 0x660 + int(digit) for digit in "0123456789"}).encode(),
        b"\xff",
        b"1e400",
        b"9" * 5000,
    ],
)
def test_the_unsigned_header_must_repeat_the_signed_time_exactly(value: bytes) -> None:
    assert reason([RAW, (b"x-timestamp", value)]) == "timestamp-differs"


def test_a_fresh_header_does_not_freshen_an_old_body() -> None:
    later = NOW + 86_400
    assert reason([RAW, (b"x-timestamp", str(later).encode())], now=later) == "timestamp-old"


def test_numbers_keep_every_digit() -> None:
    payload = check([(b"x-signature", mac(ACCENTS_BODY))], ACCENTS_BODY).payload
    assert b"118120836164494129544568202238038638592" in wire(payload)


def test_a_lone_surrogate_is_kept_and_v2_verifies_escaped() -> None:
    body, headers = signed({"vendor_data": "\ud800"})
    payload = json.loads(body)
    assert check(headers, body).payload["vendor_data"] == "\ud800"
    assert check([(b"x-signature-v2", mac(wire(payload)))], body).verified.method == "x-signature-v2"


def test_a_strangers_body_that_would_grow_fiftyfold_is_not_canonicalised() -> None:
    """A few bytes such as 1e308 stand for 309 digits. The raw signature of such a body still verifies."""
    body = b'{"timestamp":%d,"a":[' % NOW + b",".join([b"1e308"] * 20_000) + b"]}"
    grown = wire(json.loads(body))
    assert len(grown) > 40 * len(body)
    assert reason([(b"x-signature-v2", mac(grown))], body) == "mismatch"
    assert check([(b"x-signature", mac(body))], body).verified.method == "x-signature"
    few = body.replace(b"1e308", b"0.5", 19_990)
    assert check([(b"x-signature-v2", mac(wire(json.loads(few))))], few).verified.method == "x-signature-v2"


def test_no_rejection_tells_the_right_signature_or_quotes_the_body() -> None:
    for headers in ([], [(b"x-signature", b"0" * 64)], [RAW, FRESH, FRESH]):
        assert re.fullmatch("[a-z-]+", reason(headers))
    with pytest.raises(PayloadRejected) as caught:
        check([(b"x-signature", mac(b"[1234567]"))], b"[1234567]")
    assert "1234567" not in str(caught.value)


def test_every_reason_is_listed() -> None:
    """The list in the docstring is what an operator finds when a code stands in the reject log."""
    source = Path(didit.__file__).read_text(encoding="utf-8") + getsource(single)
    codes = set(re.findall(r'"((?:timestamp|header|simple|no)-[a-z]+|mismatch|malformed)"', source))
    assert len(codes) == 10
    for code in codes:
        assert f"\n    {code} " in (didit.__doc__ or "")


@pytest.mark.parametrize("name", ["v3_attack", "accents_and_numbers", "v3_business", "console_test"])
def test_what_we_sign_is_what_didit_would_send(name: str) -> None:
    payload = sample(name)
    body = wire(payload)
    headers = dict(sign(DiditVerify(scheme="didit", secrets=(SECRET,)), body, payload["timestamp"], "msg_1"))
    assert headers == {
        "Content-Type": "application/json",
        "User-Agent": "DiditWebhook/2.0 +https://didit.me",
        "X-Timestamp": str(payload["timestamp"]),
        "X-Signature": mac(body).decode(),
        "X-Signature-V2": mac(wire(payload, escaped=False)).decode(),
        "X-Signature-Simple": mac(simple_message(payload)).decode(),
    }
    sent = [(key.encode(), value.encode()) for key, value in headers.items()]
    assert check(sent, body, now=payload["timestamp"]).verified.notes == ()


def test_signing_what_is_no_object_is_refused() -> None:
    with pytest.raises(PayloadRejected):
        didit.sign(b"[]", SECRET, NOW)


def test_a_vector_made_with_openssl() -> None:
    """Neither our code nor Python's hmac made the value: `printf '%s' BODY | openssl dgst -sha256 -hmac KEY` did."""
    body = b'{"status":"Approved","timestamp":1795100060}'
    value = b"9308db7ba0839aa1e6a854fb9a3bbda119d705fb2683236621bbb61f12c74d9d"
    assert (
        check([(b"x-signature", value)], body, secrets=("openssl-made-this-one-0001",)).payload["status"] == "Approved"
    )
