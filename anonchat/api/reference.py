from typing import Any
from fastapi.responses import HTMLResponse


def draw_reference(schema: dict[str, Any]) -> HTMLResponse:
    return HTMLResponse("todo")
