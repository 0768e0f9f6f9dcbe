"""Which secrets protect nothing. Read at start, so that a receiver with such a secret never runs."""

from __future__ import annotations

import re

MIN_LENGTH = 16
MIN_DIFFERENT = 5  # 16 random characters, even hex digits, have more

# Found anywhere, once case and everything but letters and digits is gone. All are long enough that no random text
# holds them.
_PHRASES = """
changeme changethis changeit replaceme replacethis replacewith replacewhat placeholder yoursecret yourwebhook yourdidit
yourapi yourkey yourtoken yoursigning yourshared yourpassword insertyour insertsecret enteryour putyour pasteyour
secrethere keyhere tokenhere goeshere examplesecret examplekey notasecret notarealsecret password123
""".split()
_PREFIXES = ("whsecyour", "whsecexample", "todo", "fixme")
# Nothing but these, with at most four digits behind
_FILLERS = re.compile(
    r"(?:secret|password|passwd|webhook|hook|test|testing|demo|dummy|sample|example|default|admin|root|user|key|token|api"
    r"|my|the|a|super|top|very|shared|signing|whsec|didit|value|string|here|none|null|undefined)+[0-9]{0,4}"
)
_TEMPLATE = re.compile(r"\$?[<\[{]+[\w\s.-]+[>\]}]+")  # such as <your secret> or ${SECRET}: nobody filled it in
_REPEATED = re.compile(r"(.{1,4}?)\1+", re.DOTALL)
_RUN = re.compile(r"(.)\1{7}", re.DOTALL)


def weak_secret(secret: str) -> str | None:
    """Why `secret` protects nothing, as half a sentence about it; None if nothing speaks against it."""
    text = secret.strip()
    if not secret:
        return "it is empty"
    if not text:
        return "it is blank"
    if len(text) < MIN_LENGTH:
        return f"it has {len(text)} characters, and {MIN_LENGTH} are the least"
    if _is_placeholder(text):
        return "it is a well-known placeholder"
    if _is_monotonous(text):
        return "it only repeats a few characters"
    return None


def _is_placeholder(text: str) -> bool:
    if _TEMPLATE.fullmatch(text):
        return True
    bare = re.sub(r"[\W_]", "", text.casefold())
    if bare.startswith(_PREFIXES) or any(phrase in bare for phrase in _PHRASES):
        return True
    return _FILLERS.fullmatch(bare) is not None


def _is_monotonous(text: str) -> bool:
    return len(set(text)) < MIN_DIFFERENT or _RUN.search(text) is not None or _REPEATED.fullmatch(text) is not None
