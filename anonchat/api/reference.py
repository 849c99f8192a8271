"""The API reference: the OpenAPI schema as a self-contained HTML page."""

import json
import re
from collections.abc import Iterator
from typing import Any

import htpy as h
from markupsafe import Markup

from .problem_responses import MEDIA_TYPE
from .problems import PROBLEMS
from .schemas import SEQ_MAX

REFERENCE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
:root { --accent: light-dark(#4a3fb5, #b3abff); }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 6rem; max-width: 56rem; }
body { font: 1rem/1.6 system-ui, sans-serif; }
a { color: var(--accent); }
h2 { margin: 3rem 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
article { margin: 0 0 2.5rem; }
h3 { margin: 0; font-size: 1.05rem; }
h3 .method { display: inline-block; min-width: 5rem; color: var(--accent); }
h3 code, td code, dt code, li code { overflow-wrap: anywhere; }
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { margin: 0.5rem 0; padding: 0.75rem 1rem; border-radius: 0.5rem; background: var(--soft); }
pre { overflow-x: auto; }
nav ul { list-style: none; padding: 0; columns: 2 22rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid var(--line); }
th, td { text-align: start; vertical-align: top; }
dt { margin-top: 1rem; font-weight: 600; }
dd { margin: 0; }
"""
_CODE = re.compile(r"`([^`]+)`")
_METHODS = ("get", "post", "put", "patch", "delete")

Schema = dict[str, Any]


def render_reference(schema: Schema, *, base: str) -> str:
    """Render the page; `base` is the URL of the API."""
    page = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.title[f"{schema['info']['title']}: the HTTP API"],
            h.link(rel="icon", href="data:,"),
            h.style[Markup(_STYLE)],
        ],
        h.body[
            h.main[
                h.h1[f"{schema['info']['title']}: the HTTP API"],
                _markdown(schema["info"]["description"]),
                h.p["For programs: ", h.a(href="openapi.json")["openapi.json"], "."],
                h.pre[f"CHAT={base}"],
                h.nav(aria_label="Calls")[
                    h.ul[(_entry(*operation) for operation in _operations(schema))]
                ],
                (_tag(tag, schema) for tag in schema["tags"]),
                h.section[h.h2(id="problems")["Problems"], _problems()],
            ]
        ],
    ]
    return str(page)


def _operations(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, item in schema["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def _entry(method: str, path: str, operation: Schema) -> h.Element:
    return h.li[
        h.a(href=f"#{operation['operationId']}")[operation["summary"]],
        " ",
        h.code[f"{method} {path}"],
    ]


def _tag(tag: Schema, schema: Schema) -> h.Element:
    operations = [
        operation for operation in _operations(schema) if tag["name"] in operation[2]["tags"]
    ]
    return h.section[
        h.h2[tag["name"].capitalize()],
        _markdown(tag["description"]),
        (_operation(*operation, schema) for operation in operations),
    ]


def _operation(method: str, path: str, operation: Schema, schema: Schema) -> h.Element:
    responses = operation["responses"].items()
    return h.article(id=operation["operationId"])[
        h.h3[h.span(".method")[method], h.code[path]],
        _markdown(f"{operation['summary']}. {operation['description']}"),
        _fields(operation, schema),
        h.pre[_curl_command(method, path, operation, schema)],
        (_response(status, one, schema) for status, one in responses if int(status) < 400),
        h.p[
            "Refused as: ",
            _problem_links(dict(one for one in responses if 400 <= int(one[0]) < 500)),
        ],
    ]


def _fields(operation: Schema, schema: Schema) -> h.Element | None:
    """Render the query and header parameters of an operation, or the fields of its body."""
    fields = {
        one["name"]: {**one["schema"], "description": one.get("description", "")}
        for one in operation.get("parameters", ())
        if one["in"] != "path"
    }
    if body := _body(operation):
        fields |= _resolve(body, schema)["properties"]
    if not fields:
        return None
    return h.table[
        h.thead[h.tr[h.th["field" if body else "parameter"], h.th["meaning"]]],
        h.tbody[
            (
                h.tr[
                    h.td[h.code[name]], h.td[_inline(field.get("description", "")), _bounds(field)]
                ]
                for name, field in fields.items()
            )
        ],
    ]


def _body(operation: Schema) -> Schema | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    variants = [content.get("schema", {}), *content.get("schema", {}).get("anyOf", ())]
    return next((variant for variant in variants if "$ref" in variant), None)


def _resolve(part: Schema, schema: Schema) -> Schema:
    resolved: Schema = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return resolved


def _bounds(field: Schema) -> h.Node:
    default = field.get("default")
    variants = [field, *field.get("anyOf", ())]
    maximum = next((variant["maximum"] for variant in variants if "maximum" in variant), None)
    facts = [f"{json.dumps(default)} if not given"] if default not in (None, "") else []
    facts += [f"{maximum} at most"] if maximum and maximum != SEQ_MAX else []
    return f" ({', '.join(facts)})" if facts else None


def _curl_command(method: str, path: str, operation: Schema, schema: Schema) -> str:
    address = re.sub(r"\{(\w+)\}", lambda match: f"${match[1].upper()}", path)
    streams = "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
    parts = [f'curl {"-N " if streams else ""}"$CHAT{address}"']
    if "security" in operation:
        parts += ['-H "Authorization: Bearer $TOKEN"']
    if method not in ("GET", "POST"):
        parts += [f"-X {method}"]
    if method in ("POST", "PATCH") and (body := _body(operation)):
        parts += [f"--json '{json.dumps(_example(body, schema), ensure_ascii=False)}'"]
    return " \\\n  ".join(parts)


def _response(status: str, response: Schema, schema: Schema) -> h.Node:
    content = next(iter(response.get("content", {}).values()), None)
    return h.fragment[
        h.p[f"{status} ", _inline(response["description"])],
        h.pre[_example_text(content, schema)] if content else None,
    ]


def _problem_links(responses: Schema) -> Iterator[h.Node]:
    names = [name for one in responses.values() for name in one["content"][MEDIA_TYPE]["examples"]]
    for index, name in enumerate(names):
        yield h.fragment[" · " if index else "", h.a(href=f"#{name}")[name]]


def _example_text(content: Schema, schema: Schema) -> str:
    if "example" in content:
        return str(content["example"]).strip()
    return json.dumps(_example(content["schema"], schema), indent=2, ensure_ascii=False)


def _example(part: Schema, schema: Schema) -> Any:
    """Return an example value of a schema, composed of the examples of its parts."""
    if "$ref" in part:
        return _example(_resolve(part, schema), schema)
    if "examples" in part:
        return part["examples"][0]
    if "anyOf" in part:
        return _example(part["anyOf"][0], schema)
    if "properties" in part:
        return {
            name: _example(one, schema)
            for name, one in part["properties"].items()
            if name not in ("password", "secret_phrase")
        }
    if part.get("type") == "array":
        return [_example(part["items"], schema)]
    return {"boolean": True, "integer": 1, "null": None}.get(part.get("type", ""), "…")


def _problems() -> h.Element:
    return h.dl[
        (
            h.fragment[
                h.dt(id=problem.name)[f"{problem.status} ", h.code[problem.type]],
                h.dd[f"{problem.title}. ", _inline(problem.meaning)],
            ]
            for problem in dict.fromkeys(PROBLEMS)
        )
    ]


def _markdown(text: str) -> h.Node:
    """Render the Markdown subset of the descriptions: paragraphs, tables and inline code."""
    return h.fragment[(_block(block) for block in re.split(r"\n\s*\n", text.strip()))]


def _block(block: str) -> h.Element:
    if not block.startswith("|"):
        return h.p[_inline(" ".join(block.split("\n")))]
    rows = [line.strip("| ").split(" | ") for line in block.split("\n")]
    return h.table[
        h.thead[h.tr[(h.th[_inline(cell)] for cell in rows[0])]],
        h.tbody[(h.tr[(h.td[_inline(cell)] for cell in row)] for row in rows[2:])],
    ]


def _inline(text: str) -> h.Node:
    return h.fragment[
        (h.code[piece] if index % 2 else piece for index, piece in enumerate(_CODE.split(text)))
    ]
