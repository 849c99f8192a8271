"""Forms that a browser posts by itself, without a script."""

from urllib.parse import parse_qsl

from fastapi import HTTPException, Request

CONTENT_TYPE = "application/x-www-form-urlencoded"
_FIELDS_MAX = 10


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a posted form. Raises `ValueError` if it is none."""
    pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field was sent twice")
    return fields


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of the form that a request posts. Raises `HTTPException` 422."""
    if not request.headers.get("content-type", "").startswith(CONTENT_TYPE):
        raise HTTPException(422)
    try:
        return parse_form(await request.body())
    except ValueError as error:
        raise HTTPException(422) from error
