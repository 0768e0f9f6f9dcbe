"""The known tags are hints, and well-formed."""

from __future__ import annotations

import re

import pytest

from receiver.vendors.tags import KNOWN_TAGS, TagInfo


@pytest.mark.parametrize(
    ("tag", "info"),
    [
        ("LIVENESS_FACE_ATTACK", TagInfo(("LIVENESS",), True, False, "error")),
        ("NO_FACE_DETECTED", TagInfo(("LIVENESS",), True, False, "error")),
        ("FACE_IN_BLOCKLIST", TagInfo(("LIVENESS",), True, False, "error")),
        ("DUPLICATED_FACE", TagInfo(("LIVENESS",), False, True, "information")),
        ("LOW_LIVENESS_SCORE", TagInfo(("LIVENESS",), False, True, None)),
        ("AGE_BELOW_MINIMUM", TagInfo(("ID_VERIFICATION", "LIVENESS"), True, False, "error")),
        ("DATA_INCONSISTENT", TagInfo(("ID_VERIFICATION", "NFC"), False, True, None)),
        ("HIGH_RISK_PHONE_NUMBER", TagInfo(("PHONE",), True, True, "error")),
        ("DSC_CERTIFICATE_EXPIRED", TagInfo(("NFC",), False, False, "information")),
        ("COULD_NOT_PERFORM_AML_SCREENING", TagInfo(("AML",), False, False, "warning")),
    ],
)
def test_what_is_known_of_a_tag(tag: str, info: TagInfo) -> None:
    assert KNOWN_TAGS[tag] == info


def test_the_table_is_whole() -> None:
    assert len(KNOWN_TAGS) == 143
    for tag, info in KNOWN_TAGS.items():
        assert re.fullmatch("[A-Z]+(_[A-Z]+)*", tag)
        assert len(set(info.features)) == len(info.features) >= 1
        assert not (info.auto_decline and info.severity != "error")
