"""Reading the multipart forms of Didit's standalone calls, and refusing what they do not take."""

from __future__ import annotations

import json
from typing import cast

from starlette.datastructures import FormData, UploadFile

from handlers.sandbox.images import EXTENSIONS, MAX_IMAGE_BYTES, image_type
from handlers.sandbox.replies import field_error
from receiver.contract import JsonValue

PDF = "application/pdf"


def form_text(form: FormData, name: str) -> str | None:
    """A field that is not a file."""
    value = form.get(name)
    if isinstance(value, UploadFile):
        raise field_error(name, "Not a valid string.")
    return value


def form_number(form: FormData, name: str, default: float, least: float, most: float) -> float:
    """A number within bounds, or a 400."""
    text = form_text(form, name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        raise field_error(name, "A valid number is required.") from None
    if not least <= number <= most:
        raise field_error(name, f"Ensure this value is between {least:g} and {most:g}.")
    return number


def form_json(form: FormData, name: str) -> JsonValue:
    """A field that holds JSON."""
    text = form_text(form, name)
    if text is None:
        return None
    try:
        return cast("JsonValue", json.loads(text))
    except ValueError as error:
        raise field_error(name, "Value must be valid JSON.") from error


async def form_image(form: FormData, name: str, *, pdf: bool = False) -> bytes:
    """A picture of an accepted format, by its content, of at most 5 MB; where `pdf`, also a PDF."""
    upload = form.get(name)
    if not isinstance(upload, UploadFile):
        raise field_error(name, "No file was submitted.")
    if (upload.size or 0) > MAX_IMAGE_BYTES:
        raise field_error(name, "The file is larger than 5 MB.")
    declared = upload.content_type or "application/octet-stream"
    content = await upload.read()
    kinds = (*EXTENSIONS, "application/octet-stream", *([PDF] if pdf else []))
    known = image_type(content) is not None or (pdf and content.startswith(b"%PDF-"))
    if declared not in kinds or not known:
        raise field_error(name, f"Only TIFF, JPEG, PNG and WebP images{' and PDFs' if pdf else ''} are accepted.")
    return content
