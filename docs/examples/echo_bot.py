"""A bot that repeats what is said to it: `python echo_bot.py http://localhost:8080 "night train"`.

Say `!echo hello` in that room, and it says `hello`. Ctrl+C ends it, and it asks to be forgotten.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

CALL = "!echo "
PATIENCE = httpx.Timeout(10, read=45)  # a stream is never silent for more than 15 seconds


def main(site: str, name: str) -> None:
    with httpx.Client(base_url=f"{site}/api/v1", timeout=PATIENCE) as http:
        visitor = ask(http, "POST", "/visitors", {"nickname": "Echo"})
        http.headers["Authorization"] = f"Bearer {visitor['token']}"
        room = f"/rooms/{ask(http, 'POST', '/rooms', {'name': name})['slug']}"
        try:
            for message in hear(http, room):
                if message["text"].startswith(CALL):
                    text = message["text"].removeprefix(CALL)
                    # The same dedup_id for the same question: however often, it is answered once.
                    answer = {"text": text, "dedup_id": f"echo-{message['seq']}"}
                    ask(http, "POST", f"{room}/messages", answer)
        except KeyboardInterrupt:
            http.delete("/visitors/me").raise_for_status()


def ask(http: httpx.Client, method: str, path: str, sent: dict[str, Any]) -> Any:
    """Call the API, again if the line breaks; a refusal says why, and ends the bot."""
    try:
        answer = http.request(method, path, json=sent)
    except httpx.TransportError:
        time.sleep(1)
        return ask(http, method, path, sent)
    if answer.is_error:
        sys.exit(answer.json()["detail"])
    return answer.json()


def hear(http: httpx.Client, room: str) -> Iterator[dict[str, Any]]:
    """Yield every message from now on, each of them once, whatever happens to the line."""
    start: dict[str, str] = {}
    while True:
        try:
            with http.stream("GET", f"{room}/events", headers=start) as answer:
                if answer.is_error:  # a member no more, or the room is gone
                    sys.exit(json.loads(answer.read())["detail"])
                kind = number = ""
                for line in answer.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        kind = value
                    elif field == "id":
                        number = value
                    elif field == "data" and kind == "message":
                        yield json.loads(value)
                        start = {"Last-Event-ID": number}
        except httpx.TransportError:
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
