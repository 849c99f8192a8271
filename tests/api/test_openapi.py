"""The OpenAPI schema and the documentation page describe the whole API."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from anonchat.api.problems import PROBLEMS
from tests.api.api_client import ApiClient

OPERATIONS = {
    ("POST", "/visitors"),
    ("PATCH", "/visitors/me"),
    ("DELETE", "/visitors/me"),
    ("GET", "/rooms"),
    ("GET", "/rooms/mine"),
    ("POST", "/rooms"),
    ("GET", "/rooms/{slug}"),
    ("PATCH", "/rooms/{slug}"),
    ("POST", "/rooms/{slug}/knocks"),
    ("GET", "/rooms/{slug}/knocks"),
    ("PUT", "/rooms/{slug}/knocks/{author}"),
    ("POST", "/rooms/{slug}/invites"),
    ("GET", "/rooms/{slug}/invites"),
    ("DELETE", "/rooms/{slug}/invites/{code}"),
    ("DELETE", "/rooms/{slug}"),
    ("PUT", "/rooms/{slug}/membership"),
    ("DELETE", "/rooms/{slug}/membership"),
    ("GET", "/rooms/{slug}/members"),
    ("DELETE", "/rooms/{slug}/members/{author}"),
    ("DELETE", "/rooms/{slug}/members/{author}/messages"),
    ("PUT", "/rooms/{slug}/members/{author}/role"),
    ("PUT", "/rooms/{slug}/members/{author}/mute"),
    ("DELETE", "/rooms/{slug}/members/{author}/mute"),
    ("PUT", "/rooms/{slug}/members/{author}/ban"),
    ("DELETE", "/rooms/{slug}/members/{author}/ban"),
    ("GET", "/rooms/{slug}/bans"),
    ("PUT", "/rooms/{slug}/typing"),
    ("GET", "/rooms/{slug}/export"),
    ("POST", "/rooms/{slug}/transcripts"),
    ("PUT", "/rooms/{slug}/transcripts/{transcript_id}/answer"),
    ("GET", "/rooms/{slug}/transcripts/{transcript_id}"),
    ("GET", "/rooms/{slug}/messages"),
    ("POST", "/rooms/{slug}/messages"),
    ("PATCH", "/rooms/{slug}/messages/{message_id}"),
    ("DELETE", "/rooms/{slug}/messages/{message_id}"),
    ("POST", "/rooms/{slug}/messages/{message_id}/opening"),
    ("PUT", "/rooms/{slug}/messages/{message_id}/reactions/{emoji}"),
    ("DELETE", "/rooms/{slug}/messages/{message_id}/reactions/{emoji}"),
    ("GET", "/rooms/{slug}/commands"),
    ("POST", "/rooms/{slug}/commands"),
    ("GET", "/rooms/{slug}/events"),
}


@pytest.fixture
async def schema(anonymous: ApiClient) -> Any:
    return await anonymous.ask("GET", "/openapi.json")


def operations(schema: Any) -> dict[tuple[str, str], Any]:
    """Return every operation by its method and path."""
    return {
        (method.upper(), path): operation
        for path, item in schema["paths"].items()
        for method, operation in item.items()
    }


async def test_schema_describes_every_operation_with_responses_and_problems(schema: Any) -> None:
    assert set(operations(schema)) == OPERATIONS
    assert schema["servers"] == [{"url": "/api/v1"}]
    for name, operation in operations(schema).items():
        assert operation["summary"], name
        assert operation["description"], name
        if name != ("POST", "/visitors"):
            assert operation["security"] == [{"token": []}], name
            assert "401" in operation["responses"], name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            if int(status) >= 400:
                (kind,) = response["content"]
                assert kind == "application/problem+json"
                assert response["content"][kind]["examples"]


async def test_schema_fields_have_examples(schema: Any) -> None:
    for name, model in schema["components"]["schemas"].items():
        for field, part in model["properties"].items():
            assert _has_example(part), f"{name}.{field} has no example"


async def test_schema_references_resolve(schema: Any) -> None:
    text = json.dumps(schema)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in schema["components"]["schemas"]
    assert "HTTPValidationError" not in text


async def test_docs_page_shows_every_operation_and_problem_and_loads_nothing(
    anonymous: ApiClient, schema: Any
) -> None:
    response = await anonymous.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    page = _Page()
    page.feed(response.text)
    assert page.loads == {"data:,"}
    for operation in operations(schema).values():
        assert operation["operationId"] in page.ids
    for problem in PROBLEMS:
        assert problem.name in page.ids
    for link in page.links:
        assert link.removeprefix("#") in page.ids or link == "openapi.json", link
    assert "CHAT=http://test/api/v1" in response.text
    assert re.search(r"-X PATCH \\\n  --json &#39;\{&#34;name&#34;", response.text)


async def test_problem_type_redirects_to_its_documentation(anonymous: ApiClient) -> None:
    for problem in PROBLEMS:
        response = await anonymous.get(problem.type.removeprefix("/api/v1"))
        assert (response.status_code, response.headers["location"]) == (
            303,
            f"../docs#{problem.name}",
        )


def _has_example(part: Any) -> bool:
    parts = [part, *part.get("anyOf", ())]
    kinds = {one.get("type") for one in parts}
    return "examples" in str(part) or bool(kinds & {"boolean", "array"}) or "$ref" in str(part)


class _Page(HTMLParser):
    """A parsed HTML page: element ids, links, and resources that a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                assert value not in self.ids, f"{value} twice"
                self.ids.add(value)
            elif name == "href" and value and tag == "a":
                self.links.add(value)
            elif name in ("href", "src") and value:
                self.loads.add(value)
