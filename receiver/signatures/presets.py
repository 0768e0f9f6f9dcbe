"""How vendors sign, by name: the keys of `verify:` that their public documentation answers. State of 2026-11; none is
confirmed against a live service, so `hookwarden rejects` is the first place to look when the first delivery fails.

| preset | source |
|---|---|
| onfido | documentation.identity.entrust.com/api/manual-webhook-signature-verification; onfido-python |
| veriff | devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security; hex is what a public integrator reads |
| sumsub | docs.sumsub.com/docs/webhook-manager; header names from public integrators. HMAC_SHA1_HEX is refused |
| idenfy | documentation.idenfy.com/security/callback-signing |
| persona | docs.withpersona.com/docs/webhooks-best-practices; two sets while a secret is rotated; 300 s are ours |
| stripe | stripe-python stripe/_webhook.py: the secret is used as text, `whsec_` included; 300 s, here on both sides |
| trulioo | developer.trulioo.com/reference/webhook and /reference/api-handshake; the raw body is an inference |
| plaid | plaid.com/docs/api/webhooks/webhook-verification |
| jumio | documentation.jumio.ai/docs/developer-resources/callback: callbacks carry no signature |
| socure | help.socure.com/riskos/docs/webhook-configuration-reference: credentials that you set, in `Authorization` |
| kwikid | KwikID's video-flow webhooks carry headers that the customer defines, such as `Authorization` |
| verifik | Verifik's guide tells to verify a signature, but names neither header nor algorithm: unsigned till then |
"""

from __future__ import annotations

from collections.abc import Mapping

from receiver.contract import JsonObject

PRESETS: Mapping[str, JsonObject] = {
    "onfido": {"scheme": "hmac", "header": "X-SHA2-Signature"},
    "veriff": {"scheme": "hmac", "header": "X-HMAC-SIGNATURE"},
    "sumsub": {
        "scheme": "hmac",
        "header": "X-Payload-Digest",
        "algorithm": {
            "header": "X-Payload-Digest-Alg",
            "accept": {"HMAC_SHA256_HEX": "sha256", "HMAC_SHA512_HEX": "sha512"},
        },
    },
    "idenfy": {"scheme": "hmac", "header": "Idenfy-Signature"},
    "persona": {
        "scheme": "hmac",
        "header": "Persona-Signature",
        "message": "{timestamp}.{body}",
        "composite": {"timestamp": "t", "signature": "v1"},
    },
    "stripe": {
        "scheme": "hmac",
        "header": "Stripe-Signature",
        "message": "{timestamp}.{body}",
        "composite": {"timestamp": "t", "signature": "v1"},
    },
    "trulioo": {"scheme": "hmac", "header": "x-trulioo-signature", "challenge": True},
    "plaid": {"scheme": "jwt-es256", "header": "Plaid-Verification"},
    "jumio": {"scheme": "none"},
    "socure": {"scheme": "static", "header": "Authorization"},
    "kwikid": {"scheme": "static", "header": "Authorization"},
    "verifik": {"scheme": "none"},
}

NOT_OFFERED: Mapping[str, str] = {
    "complycube": "public sources contradict each other on its message (the body, or t.body): look at a delivery"
    " of yours and write `scheme: hmac` with what it shows",
    "shufti": "its signature is a plain hash of the body and the hashed key, no HMAC: take `scheme: none` and confirm"
    " what it says at its API",
}
"""Vendors that people look for, and why there is no preset."""
