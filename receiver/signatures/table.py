"""The signature schemes by the name they have in config.yaml."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.signatures import didit
from receiver.signatures.scheme import Scheme, Signer

SCHEMES: Mapping[str, Scheme] = {
    "didit": didit,
}

SIGNERS: Mapping[str, Signer] = {
    "didit": didit.sign,
}
