"""Didit's warning tags, as data: what its public documentation says of each by default.

Only for hints (a misspelt tag in a policy, a word of explanation): what a delivery says always wins, and a tag that
does not stand here passes through and can be matched. Source: the warnings pages of Didit's public documentation
(docs.didit.me), state of 2026-11; a few names are only known from Didit's blog, its example files or integrators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from receiver.contract import Severity


@dataclass(frozen=True, slots=True)
class TagInfo:
    """One tag. `features` are the parts of a verification that raise it; `auto_decline` says that it ends in Declined
    unless configured otherwise, `configurable` that a workflow may choose what it leads to. `severity` is the default,
    None where the workflow's settings or thresholds decide, or where nothing is published.
    """

    features: tuple[str, ...]
    auto_decline: bool
    configurable: bool
    severity: Severity | None


_Routing: TypeAlias = tuple[bool, bool]  # auto_decline, configurable
_DECLINES: _Routing = (True, False)
_DECLINES_BY_DEFAULT: _Routing = (True, True)
_CONFIGURABLE: _Routing = (False, True)
_FIXED: _Routing = (False, False)

_BY_FEATURE: Mapping[str, Mapping[tuple[_Routing, Severity | None], str]] = {
    "ID_VERIFICATION": {
        (_DECLINES, "error"): """
            DOCUMENT_NOT_SUPPORTED_FOR_APPLICATION DOCUMENT_EXPIRED PORTRAIT_IMAGE_NOT_DETECTED
            ID_DOCUMENT_IN_BLOCKLIST FRONT_CAMERA_FACE_IN_BLOCKLIST AGE_BELOW_MINIMUM AGE_NOT_DETECTED
        """,
        (_CONFIGURABLE, "information"): "POSSIBLE_DUPLICATED_USER",
        (_CONFIGURABLE, None): """
            DUPLICATED_DOCUMENT QR_NOT_DETECTED QR_VALIDATION_FAILED BARCODE_NOT_DETECTED BARCODE_VALIDATION_FAILED
            MRZ_NOT_DETECTED MRZ_VALIDATION_FAILED DATA_INCONSISTENT MRZ_AND_DATA_EXTRACTED_FROM_OCR_NOT_SAME
            DOCUMENT_NAME_DIFFERENT_FROM_OTHER_APPROVED_DOCUMENTS DOCUMENT_SIDES_MISMATCH
            ID_VERIFICATION_DATA_MISMATCH_BETWEEN_DOCUMENTS INVALID_DATE COULD_NOT_RECOGNIZE_DOCUMENT
            COULD_NOT_DETECT_DOCUMENT_TYPE EXPIRATION_DATE_NOT_DETECTED DOCUMENT_NUMBER_FORMAT_MISMATCH
            PERSONAL_NUMBER_FORMAT_MISMATCH UNPARSED_ADDRESS FULL_NAME_MISMATCH_WITH_PROVIDED
            DOB_MISMATCH_WITH_PROVIDED GENDER_MISMATCH_WITH_PROVIDED NATIONALITY_MISMATCH_WITH_PROVIDED
            COUNTRY_MISMATCH_WITH_PROVIDED IDENTIFICATION_NUMBER_MISMATCH_WITH_PROVIDED SCREEN_CAPTURE_DETECTED
            PRINTED_COPY_DETECTED PORTRAIT_MANIPULATION_DETECTED LOW_FRONT_CAMERA_FACE_MATCH_SIMILARITY
            PUBLIC_DOCUMENT_IMAGE_DETECTED DOCUMENT_COUNTRY_MISMATCH POSSIBLE_FRAUD
        """,
        (_CONFIGURABLE, "error"): """
            DOCUMENT_NUMBER_NOT_DETECTED NAME_NOT_DETECTED DATE_OF_BIRTH_NOT_DETECTED MINIMUM_AGE_NOT_MET
        """,
        (_CONFIGURABLE, "warning"): "DOCUMENT_LIVENESS_NOT_COMPUTED",
    },
    "LIVENESS": {
        (_DECLINES, "error"): """
            NO_FACE_DETECTED LIVENESS_FACE_ATTACK FACE_IN_BLOCKLIST AGE_BELOW_MINIMUM AGE_NOT_DETECTED
        """,
        (_CONFIGURABLE, "error"): "POSSIBLE_FACE_IN_BLOCKLIST",
        (_CONFIGURABLE, None): "LOW_LIVENESS_SCORE LOW_FACE_QUALITY LOW_FACE_LUMINANCE HIGH_FACE_LUMINANCE",
        (_CONFIGURABLE, "information"): "DUPLICATED_FACE POSSIBLE_DUPLICATED_FACE FRAME_INJECTION_SUSPECTED",
        (_CONFIGURABLE, "warning"): "MULTIPLE_FACES_DETECTED",
    },
    "FACE_SEARCH": {
        (_FIXED, None): "NO_SESSIONS_TO_SEARCH",
        (_CONFIGURABLE, None): "LOW_QUALITY_SEARCH_IMAGE",
    },
    "FACEMATCH": {
        (_DECLINES, "error"): "NO_REFERENCE_IMAGE",
        (_CONFIGURABLE, None): "LOW_FACE_MATCH_SIMILARITY FACE_MATCH_NOT_COMPUTED",
        (_FIXED, None): "FACE_MATCH_MAX_ATTEMPTS_EXCEEDED",
    },
    "NFC": {
        (_CONFIGURABLE, None): """
            SKIPPED_NFC_VALIDATION NFC_CHIP_NOT_VERIFIED NFC_TRUST_ANCHOR_MISSING NFC_AND_OCR_DATA_NOT_SAME
            DATA_INCONSISTENT
        """,
        (_FIXED, "information"): "DSC_CERTIFICATE_REVOKED DSC_CERTIFICATE_EXPIRED",
    },
    "AML": {
        (_CONFIGURABLE, "warning"): "POSSIBLE_MATCH_FOUND",
        (_FIXED, "warning"): "COULD_NOT_PERFORM_AML_SCREENING",
    },
    "PHONE": {
        (_DECLINES, "error"): "VERIFICATION_CODE_ATTEMPTS_EXCEEDED PHONE_NUMBER_IN_BLOCKLIST",
        (_DECLINES_BY_DEFAULT, "error"): "HIGH_RISK_PHONE_NUMBER",
        (_CONFIGURABLE, "information"): "VOIP_NUMBER_DETECTED DISPOSABLE_NUMBER_DETECTED DUPLICATED_PHONE_NUMBER",
    },
    "EMAIL": {
        (_DECLINES, "error"): "EMAIL_CODE_ATTEMPTS_EXCEEDED EMAIL_IN_BLOCKLIST UNDELIVERABLE_EMAIL_DETECTED",
        (_CONFIGURABLE, "information"): "BREACHED_EMAIL_DETECTED DISPOSABLE_EMAIL_DETECTED DUPLICATED_EMAIL",
    },
    "LOCATION": {
        (_DECLINES, "error"): "IP_ADDRESS_IN_BLOCKLIST DEVICE_FINGERPRINT_IN_BLOCKLIST",
        (_FIXED, "information"): "IP_ADDRESS_IN_ALLOWLIST DEVICE_FINGERPRINT_IN_ALLOWLIST",
        (_CONFIGURABLE, "information"): """
            PRIVATE_NETWORK_DETECTED COUNTRY_FROM_DOCUMENT_DOES_NOT_MATCH_COUNTRY_FROM_IP EXPECTED_IP_ADDRESS_MISMATCH
            DUPLICATED_IP_ADDRESS DUPLICATED_DEVICE_FINGERPRINT DEVICE_RECOVERED_HIGH_CONFIDENCE
            IP_LOCATION_NOT_DETERMINED AUTOMATION_FRAMEWORK_DETECTED DEVICE_EMULATOR_DETECTED
            DEVICE_ROOTED_OR_JAILBROKEN DEVICE_RUNTIME_HOOKING_DETECTED DEVICE_APP_TAMPERED
        """,
        (_CONFIGURABLE, None): "IP_LOCATION_NOT_ALLOWED MULTIPLE_DEVICES_IN_SESSION IP_LOCATION_MISMATCH",
    },
    "GEOLOCATION": {
        (_DECLINES, "error"): "LOCATION_REPLAY_DETECTED LOCATION_INTEGRITY_FAILED",
        (_CONFIGURABLE, None): """
            LOCATION_VPN_DETECTED LOCATION_TOR_DETECTED LOCATION_EMULATOR_DETECTED LOCATION_PROXY_DETECTED
        """,
    },
    "PROOF_OF_ADDRESS": {
        (_DECLINES, "error"): """
            MISSING_ADDRESS_INFORMATION POA_DOCUMENT_EXPIRED EXPIRED_DOCUMENT INVALID_DOCUMENT_TYPE
            UNABLE_TO_VALIDATE_DOCUMENT_AGE
        """,
        (_DECLINES_BY_DEFAULT, "error"): "POA_DOCUMENT_NOT_SUPPORTED_FOR_APPLICATION",
        (_CONFIGURABLE, "error"): """
            UNABLE_TO_EXTRACT_ISSUE_DATE POA_NAME_NOT_DETECTED NAME_MISMATCH_WITH_PROVIDED
            NAME_MISMATCH_ID_VERIFICATION POA_NAME_MISMATCH_BETWEEN_DOCUMENTS ADDRESS_MISMATCH_WITH_PROVIDED
            SUSPECTED_DOCUMENT_MANIPULATION UNSUPPORTED_DOCUMENT_LANGUAGE ISSUER_NOT_IDENTIFIED
        """,
        (_CONFIGURABLE, None): """
            DOCUMENT_METADATA_MISMATCH UNPARSABLE_OR_INVALID_ADDRESS FUTURE_ISSUE_DATE POA_MAX_ATTEMPTS_EXCEEDED
            POOR_DOCUMENT_QUALITY
        """,
    },
    "DATABASE_VALIDATION": {
        (_FIXED, "warning"): "COULD_NOT_PERFORM_DATABASE_VALIDATION",
        (_CONFIGURABLE, "warning"): "DATABASE_VALIDATION_NO_MATCH",
        (_CONFIGURABLE, "information"): "DATABASE_VALIDATION_PARTIAL_MATCH",
    },
    "KYB_REGISTRY": {
        (_CONFIGURABLE, None): """
            KYB_COUNTRY_RESTRICTED KYB_OFFICERS_DATA_NOT_FOUND KYB_OWNERSHIP_DATA_NOT_FOUND
            KYB_BENEFICIAL_OWNERSHIP_NOT_DERIVABLE KYB_COMPANY_NOT_ACTIVE KYB_COMPANY_NOT_FROM_REGISTRY
        """,
    },
    "KYB_DOCUMENTS": {
        (_CONFIGURABLE, None): """
            KYB_DOCUMENT_MISSING_REQUIRED_FIELD KYB_DOCUMENT_NAME_MISMATCH KYB_DOCUMENT_REG_NUMBER_MISMATCH
            KYB_DOCUMENT_INCORPORATION_DATE_MISMATCH KYB_DOCUMENT_ADDRESS_MISMATCH KYB_CROSS_DOCUMENT_MISMATCH
        """,
    },
}


def _known() -> Mapping[str, TagInfo]:
    known: dict[str, TagInfo] = {}
    for feature, groups in _BY_FEATURE.items():
        for ((auto_decline, configurable), severity), names in groups.items():
            for name in names.split():
                others = known[name].features if name in known else ()
                known[name] = TagInfo((*others, feature), auto_decline, configurable, severity)
    return known


KNOWN_TAGS: Mapping[str, TagInfo] = _known()
