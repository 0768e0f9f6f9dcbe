"""What the vendor's warning tags mean, in a few words for people who do not know them.

Own words for what Didit's public documentation (docs.didit.me, state of 2026-11) says of each tag. A tag that does not
stand here is told by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WORDS: Final = """
DOCUMENT_NOT_SUPPORTED_FOR_APPLICATION: this kind of document, or its country, is not accepted
DOCUMENT_EXPIRED: the document is past its expiry date
PORTRAIT_IMAGE_NOT_DETECTED: no photo of the holder was found on the document
ID_DOCUMENT_IN_BLOCKLIST: the document is on a blocklist
FRONT_CAMERA_FACE_IN_BLOCKLIST: the face seen while the document was photographed is on a blocklist
POSSIBLE_DUPLICATED_USER: the same document data was used by another customer
DUPLICATED_DOCUMENT: the same document was seen in another session
QR_NOT_DETECTED: the QR code that the document should have was not found
QR_VALIDATION_FAILED: the document's QR code does not hold what it should
BARCODE_NOT_DETECTED: the barcode that the document should have was not found
BARCODE_VALIDATION_FAILED: the document's barcode does not hold what it should
MRZ_NOT_DETECTED: the machine-readable lines of the document were not found
MRZ_VALIDATION_FAILED: the check digits of the machine-readable lines are wrong
DATA_INCONSISTENT: parts of the document contradict each other
MRZ_AND_DATA_EXTRACTED_FROM_OCR_NOT_SAME: the machine-readable lines differ from what is printed
DOCUMENT_NAME_DIFFERENT_FROM_OTHER_APPROVED_DOCUMENTS: the name differs from that on earlier documents
DOCUMENT_SIDES_MISMATCH: front and back do not belong to one document
ID_VERIFICATION_DATA_MISMATCH_BETWEEN_DOCUMENTS: two documents of the session contradict each other
INVALID_DATE: a date on the document is impossible or cannot be read
COULD_NOT_RECOGNIZE_DOCUMENT: the document was not recognised
DOCUMENT_NUMBER_NOT_DETECTED: the document number was not found
COULD_NOT_DETECT_DOCUMENT_TYPE: what kind of document it is could not be told
NAME_NOT_DETECTED: the holder's name was not found
DATE_OF_BIRTH_NOT_DETECTED: the date of birth was not found
EXPIRATION_DATE_NOT_DETECTED: the expiry date could not be read
DOCUMENT_NUMBER_FORMAT_MISMATCH: the document number is not of the form that the country uses
PERSONAL_NUMBER_FORMAT_MISMATCH: the personal number is not of the expected form
UNPARSED_ADDRESS: the address could not be split into its parts
FULL_NAME_MISMATCH_WITH_PROVIDED: the name differs from the one that was given beforehand
DOB_MISMATCH_WITH_PROVIDED: the date of birth differs from the one that was given beforehand
GENDER_MISMATCH_WITH_PROVIDED: the gender differs from the one that was given beforehand
NATIONALITY_MISMATCH_WITH_PROVIDED: the nationality differs from the one that was given beforehand
COUNTRY_MISMATCH_WITH_PROVIDED: the issuing country differs from the one that was given beforehand
IDENTIFICATION_NUMBER_MISMATCH_WITH_PROVIDED: the identification number differs from the one given beforehand
SCREEN_CAPTURE_DETECTED: the document seems to have been photographed from a screen
PRINTED_COPY_DETECTED: the document seems to be a paper copy
PORTRAIT_MANIPULATION_DETECTED: the holder's photo looks replaced or edited
LOW_FRONT_CAMERA_FACE_MATCH_SIMILARITY: the face at the camera is not enough like the document's photo
MINIMUM_AGE_NOT_MET: the holder is younger than the age that was set
PUBLIC_DOCUMENT_IMAGE_DETECTED: the picture is a publicly known sample document
DOCUMENT_LIVENESS_NOT_COMPUTED: whether the document is genuine could not be checked
DOCUMENT_COUNTRY_MISMATCH: the issuing country is not the expected one
POSSIBLE_FRAUD: a general hint of fraud
AGE_BELOW_MINIMUM: the estimated age is below the minimum that was set
AGE_NOT_DETECTED: the age could not be estimated
NO_FACE_DETECTED: no usable face was found
LIVENESS_FACE_ATTACK: the face at the camera seems not to be a live one: a photo, screen, mask or the like
FACE_IN_BLOCKLIST: the face matches one on a blocklist
POSSIBLE_FACE_IN_BLOCKLIST: the face may match one on a blocklist
LOW_LIVENESS_SCORE: the liveness score is low
DUPLICATED_FACE: the face matches that of another customer
POSSIBLE_DUPLICATED_FACE: the face may match that of another customer
MULTIPLE_FACES_DETECTED: more than one face was seen
LOW_FACE_QUALITY: the picture of the face is of low quality
LOW_FACE_LUMINANCE: the picture of the face is too dark
HIGH_FACE_LUMINANCE: the picture of the face is too bright
FRAME_INJECTION_SUSPECTED: the camera's pictures may have been replaced on the way
NO_SESSIONS_TO_SEARCH: there was nobody to compare the face with
LOW_QUALITY_SEARCH_IMAGE: the picture was too poor to search by
NO_REFERENCE_IMAGE: one of the two pictures was missing, so nothing was compared
LOW_FACE_MATCH_SIMILARITY: the face is not enough like the photo on the document
FACE_MATCH_MAX_ATTEMPTS_EXCEEDED: the allowed attempts at comparing the face are used up
FACE_MATCH_NOT_COMPUTED: face and document could not be compared
SKIPPED_NFC_VALIDATION: the document's chip was not read
NFC_CHIP_NOT_VERIFIED: the document's chip could not be shown to be genuine
NFC_TRUST_ANCHOR_MISSING: the issuer's certificate for the chip is not known
NFC_AND_OCR_DATA_NOT_SAME: the chip's data differ from what is printed
DSC_CERTIFICATE_REVOKED: the certificate that signed the chip was revoked
DSC_CERTIFICATE_EXPIRED: the certificate that signed the chip has expired
POSSIBLE_MATCH_FOUND: a watch list, sanctions list or the like has an entry that may be this person
COULD_NOT_PERFORM_AML_SCREENING: data was missing for the search of watch lists
VERIFICATION_CODE_ATTEMPTS_EXCEEDED: the phone code was entered wrongly too often
PHONE_NUMBER_IN_BLOCKLIST: the phone number is on a blocklist
HIGH_RISK_PHONE_NUMBER: the phone number is rated as risky
VOIP_NUMBER_DETECTED: the phone number belongs to an internet telephone service
DISPOSABLE_NUMBER_DETECTED: the phone number is a temporary one
DUPLICATED_PHONE_NUMBER: another customer used the phone number
EMAIL_CODE_ATTEMPTS_EXCEEDED: the e-mail code was entered wrongly too often
EMAIL_IN_BLOCKLIST: the e-mail address is on a blocklist
UNDELIVERABLE_EMAIL_DETECTED: the e-mail address cannot receive mail
BREACHED_EMAIL_DETECTED: the e-mail address appears in known data leaks
DISPOSABLE_EMAIL_DETECTED: the e-mail address is of a throw-away service
DUPLICATED_EMAIL: another customer used the e-mail address
IP_ADDRESS_IN_BLOCKLIST: the internet address is on a blocklist
DEVICE_FINGERPRINT_IN_BLOCKLIST: the device is on a blocklist
IP_ADDRESS_IN_ALLOWLIST: the internet address is on a list of trusted ones
DEVICE_FINGERPRINT_IN_ALLOWLIST: the device is on a list of trusted ones
PRIVATE_NETWORK_DETECTED: the connection came through a VPN, Tor or a proxy
COUNTRY_FROM_DOCUMENT_DOES_NOT_MATCH_COUNTRY_FROM_IP: the document's country differs from that of the connection
EXPECTED_IP_ADDRESS_MISMATCH: the internet address is not the expected one
DUPLICATED_IP_ADDRESS: other customers came from the same internet address
DUPLICATED_DEVICE_FINGERPRINT: other customers used the same device
DEVICE_RECOVERED_HIGH_CONFIDENCE: a known device was recognised again after a reset
IP_LOCATION_NOT_ALLOWED: the connection came from where it is not allowed
IP_LOCATION_NOT_DETERMINED: where the connection came from is not known
MULTIPLE_DEVICES_IN_SESSION: more than one device was used in the session
IP_LOCATION_MISMATCH: the connection's places contradict each other
AUTOMATION_FRAMEWORK_DETECTED: the device seems to be driven by a program
DEVICE_EMULATOR_DETECTED: the device seems to be a simulated one
DEVICE_ROOTED_OR_JAILBROKEN: the protections of the device were removed
DEVICE_RUNTIME_HOOKING_DETECTED: a tool that alters running programs was found on the device
DEVICE_APP_TAMPERED: the app on the device was altered
LOCATION_REPLAY_DETECTED: the position was sent once more from another session
LOCATION_INTEGRITY_FAILED: the position could not be shown to come from a genuine device
LOCATION_VPN_DETECTED: a VPN was in use when the position was taken
LOCATION_TOR_DETECTED: Tor was in use when the position was taken
LOCATION_EMULATOR_DETECTED: the position came from a simulated device
LOCATION_PROXY_DETECTED: a proxy was in use when the position was taken
MISSING_ADDRESS_INFORMATION: the address could not be read
POA_DOCUMENT_EXPIRED: the proof of address is too old
EXPIRED_DOCUMENT: the proof of address is too old
INVALID_DOCUMENT_TYPE: this kind of proof of address is not accepted
POA_DOCUMENT_NOT_SUPPORTED_FOR_APPLICATION: this proof of address, or its country, is not accepted
UNABLE_TO_VALIDATE_DOCUMENT_AGE: how old the proof of address is could not be checked
UNABLE_TO_EXTRACT_ISSUE_DATE: the proof of address has no readable date
POA_NAME_NOT_DETECTED: no name was found on the proof of address
NAME_MISMATCH_WITH_PROVIDED: the name differs from the expected one
NAME_MISMATCH_ID_VERIFICATION: the name differs from that on the identity document
POA_NAME_MISMATCH_BETWEEN_DOCUMENTS: two proofs of address have different names
ADDRESS_MISMATCH_WITH_PROVIDED: the address differs from the expected one
SUSPECTED_DOCUMENT_MANIPULATION: the document looks edited
DOCUMENT_METADATA_MISMATCH: the file's own data do not fit the document
UNSUPPORTED_DOCUMENT_LANGUAGE: the document's language is not accepted
ISSUER_NOT_IDENTIFIED: who issued the document could not be told
UNPARSABLE_OR_INVALID_ADDRESS: the address cannot be read or does not exist
FUTURE_ISSUE_DATE: the document is dated in the future
POA_MAX_ATTEMPTS_EXCEEDED: the allowed attempts at the proof of address are used up
POOR_DOCUMENT_QUALITY: the picture of the document is too poor
COULD_NOT_PERFORM_DATABASE_VALIDATION: the official register could not be asked
DATABASE_VALIDATION_NO_MATCH: the official register has no such record
DATABASE_VALIDATION_PARTIAL_MATCH: the official register agrees in part only
KYB_COUNTRY_RESTRICTED: the company's country is restricted
KYB_OFFICERS_DATA_NOT_FOUND: the register names no officers of the company
KYB_OWNERSHIP_DATA_NOT_FOUND: the register names no owners of the company
KYB_BENEFICIAL_OWNERSHIP_NOT_DERIVABLE: who owns the company in the end cannot be told
KYB_COMPANY_NOT_ACTIVE: the company is not active
KYB_COMPANY_NOT_FROM_REGISTRY: the company's data were typed in, not taken from a register
KYB_DOCUMENT_MISSING_REQUIRED_FIELD: a field that is needed is missing from a company document
KYB_DOCUMENT_NAME_MISMATCH: the company's name differs
KYB_DOCUMENT_REG_NUMBER_MISMATCH: the company's registration number differs
KYB_DOCUMENT_INCORPORATION_DATE_MISMATCH: the company's date of incorporation differs
KYB_DOCUMENT_ADDRESS_MISMATCH: the company's address differs
KYB_CROSS_DOCUMENT_MISMATCH: two company documents contradict each other
"""

TAG_WORDS: Final[Mapping[str, str]] = {
    name: words for name, _, words in (line.partition(": ") for line in _WORDS.strip().splitlines())
}
