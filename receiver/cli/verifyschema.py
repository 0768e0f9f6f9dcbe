"""The part of the configuration's JSON Schema about how sources prove themselves: one form for each scheme, one for
presets.
"""

from __future__ import annotations

from typing import Any

from receiver.signatures.presets import PRESETS

_SECRETS = "The secret of the sender; while it is rotated, the new one first, then the old one."
_TOLERANCE = "How far the signed time may lie from ours, either side: seconds, or text such as 5m."
_SCHEME = "The signature scheme."
_ACCEPT = "Must be true: nothing proves who sent these deliveries, and that is meant."
_TRUST = "true: what their events call for is done without approval, also where it is billable or destructive."
_OF_PRESETS = ("secrets", "tolerance", "header", "keys", "fetch", "accept_unsigned", "trust")
_MODELS = ("DiditVerify", "StandardVerify", "HmacVerify", "JwtVerify", "StaticVerify", "NoneVerify")

VERIFY_TEXTS = {
    **{f"{model}.scheme": _SCHEME for model in _MODELS},
    **{f"{model}.secrets": _SECRETS for model in (*_MODELS[:3], "StaticVerify", "PresetVerify")},
    **{f"{model}.tolerance": _TOLERANCE for model in (*_MODELS[:4], "PresetVerify")},
    **{f"{model}.accept_unsigned": _ACCEPT for model in (*_MODELS[4:], "PresetVerify")},
    **{f"{model}.trust": _TRUST for model in (*_MODELS[4:], "PresetVerify")},
    "PresetVerify.preset": "A vendor, whose way of signing is filled in.",
    "PresetVerify.header": "The header, where the vendor lets you choose.",
    "PresetVerify.keys": "Public keys, as JWKs.",
    "PresetVerify.fetch": "Where unknown keys are asked for.",
    "StandardVerify.secrets": "`whsec_` secrets (v1) and `whpk_` keys (v1a); several while one is rotated.",
    "HmacVerify.header": "The header that holds the signature.",
    "HmacVerify.prefix": "Text before the signature, such as sha256=.",
    "HmacVerify.hash": "The hash.",
    "HmacVerify.encoding": "How the signature is written.",
    "HmacVerify.message": "What is signed: a text with {body}, and {timestamp} where a time is signed with it.",
    "HmacVerify.timestamp": "The header that holds the time, in Unix seconds.",
    "HmacVerify.composite": "The header holds fields such as t=...,v1=...",
    "HmacVerify.algorithm": "A header in which the sender names the hash.",
    "HmacVerify.challenge": "Answer the vendor's URL_VERIFICATION handshakes.",
    "CompositeSettings.timestamp": "The field with the time, such as t.",
    "CompositeSettings.signature": "The field with the signature, such as v1.",
    "AlgorithmSettings.header": "The header.",
    "AlgorithmSettings.accept": "The names that are accepted, each with its hash.",
    "JwtVerify.header": "The header that holds the JWT.",
    "JwtVerify.keys": "Public keys, as JWKs.",
    "JwtVerify.fetch": "Where unknown keys are asked for, as Plaid's API has it.",
    "FetchSettings.base_url": "Where the API is.",
    "FetchSettings.client_id": "Plaid's client_id; better from the environment: ${NAME}.",
    "FetchSettings.secret": "Plaid's secret; better from the environment: ${NAME}.",
    **dict.fromkeys(
        ("StaticVerify.confirm", "NoneVerify.confirm"),
        "Reading actions whose result lets what rules plan on it go ahead, if it says the same.",
    ),
    "StaticVerify.header": "The header that holds the shared secret.",
    **{
        f"JwkSettings.{key}": text
        for key, text in {
            "kty": "EC.",
            "crv": "P-256.",
            "kid": "The id by which a JWT names the key.",
            "x": "The point's x, in base64url.",
            "y": "The point's y, in base64url.",
            "alg": "ES256.",
            "use": "sig.",
            "created_at": "When it was made, in Unix seconds.",
            "expired_at": "From when on it is not accepted, in Unix seconds.",
        }.items()
    },
}


def shape_verify(definitions: dict[str, Any]) -> None:
    """Give `verify` its forms: a preset, or one of the schemes with its keys."""
    del definitions["UnknownVerify"]
    forms: dict[str, Any] = {}
    for model in _MODELS:
        properties = definitions[model]["properties"]
        properties.pop("preset", None)
        forms |= {key: value for key, value in properties.items() if key in _OF_PRESETS and key not in forms}
    tolerance = forms["tolerance"]
    definitions["HmacVerify"]["properties"]["tolerance"] = tolerance
    preset = {"type": "string", "enum": sorted(PRESETS)}
    definitions["PresetVerify"] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["preset"],
        "properties": {"preset": preset, **{key: forms[key] for key in _OF_PRESETS}},
    }
    choices = [{"$ref": f"#/$defs/{name}"} for name in (*_MODELS, "PresetVerify")]
    definitions["SourceSettings"]["properties"]["verify"] = {"anyOf": choices}
