"""What the API says of itself is whole, and true of what it does."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from anonchat.api.problems import PROBLEMS
from tests.api.program import Program

CONTRACT = {
    ("POST", "/visitors"),
    ("DELETE", "/visitors/me"),
    ("GET", "/rooms"),
    ("GET", "/rooms/mine"),
    ("POST", "/rooms"),
    ("GET", "/rooms/{slug}"),
    ("DELETE", "/rooms/{slug}"),
    ("PUT", "/rooms/{slug}/membership"),
    ("DELETE", "/rooms/{slug}/membership"),
    ("GET", "/rooms/{slug}/messages"),
    ("POST", "/rooms/{slug}/messages"),
    ("DELETE", "/rooms/{slug}/messages/{message_id}"),
    ("GET", "/rooms/{slug}/events"),
}


@pytest.fixture
async def schema(stranger: Program) -> Any:
    return await stranger.ask("GET", "/openapi.json")


def calls(schema: Any) -> dict[tuple[str, str], Any]:
    """Return every call by its method and path."""
    return {
        (method.upper(), path): call
        for path, item in schema["paths"].items()
        for method, call in item.items()
    }


async def test_every_call_is_described_with_its_answers_and_its_problems(schema: Any) -> None:
    assert set(calls(schema)) == CONTRACT
    assert schema["servers"] == [{"url": "/api/v1"}]
    for name, call in calls(schema).items():
        assert call["summary"], name
        assert call["description"], name
        if name != ("POST", "/visitors"):
            assert call["security"] == [{"token": []}], name
            assert "401" in call["responses"], name
        for status, answer in call["responses"].items():
            assert answer["description"], (name, status)
            if int(status) >= 400:
                (kind,) = answer["content"]
                assert kind == "application/problem+json"
                assert answer["content"][kind]["examples"]


async def test_every_shape_has_an_example_in_each_text_and_number(schema: Any) -> None:
    for name, shape in schema["components"]["schemas"].items():
        for field, part in shape["properties"].items():
            assert _is_shown(part), f"{name}.{field} has no example"


async def test_every_reference_leads_somewhere(schema: Any) -> None:
    text = json.dumps(schema)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in schema["components"]["schemas"]
    assert "HTTPValidationError" not in text


async def test_the_page_shows_every_call_and_problem_and_loads_nothing(
    stranger: Program, schema: Any
) -> None:
    answer = await stranger.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = _Page()
    page.feed(answer.text)
    assert page.loads == {"data:,"}
    for call in calls(schema).values():
        assert call["operationId"] in page.ids
    for problem in PROBLEMS:
        assert problem.name in page.ids
    for link in page.links:
        assert link.removeprefix("#") in page.ids or link == "openapi.json", link
    assert "CHAT=http://test/api/v1" in answer.text


async def test_what_a_problem_is_can_be_read_where_its_type_leads(stranger: Program) -> None:
    for problem in PROBLEMS:
        answer = await stranger.get(problem.type.removeprefix("/api/v1"))
        assert (answer.status_code, answer.headers["location"]) == (303, f"../docs#{problem.name}")


def _is_shown(part: Any) -> bool:
    parts = [part, *part.get("anyOf", ())]
    kinds = {one.get("type") for one in parts}
    return "examples" in str(part) or bool(kinds & {"boolean", "array"}) or "$ref" in str(part)


class _Page(HTMLParser):
    """What is on a page: names to link to, links, and whatever a browser would load."""

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
