"""An echo bot: `python echo_bot.py http://localhost:8080 "night train"`.

It replies to `!echo hello` in that room with `hello`. Ctrl+C stops it and deletes its visitor.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

COMMAND = "!echo "
TIMEOUT = httpx.Timeout(10, read=45)  # a stream sends something every 15 seconds


def main(site: str, name: str) -> None:
    with httpx.Client(base_url=f"{site}/api/v1", timeout=TIMEOUT) as http:
        visitor = call(http, "POST", "/visitors", {"nickname": "Echo"})
        http.headers["Authorization"] = f"Bearer {visitor['token']}"
        room = f"/rooms/{call(http, 'POST', '/rooms', {'name': name})['slug']}"
        try:
            for message in receive_messages(http, room):
                if message["text"].startswith(COMMAND):
                    text = message["text"].removeprefix(COMMAND)
                    # One dedup_id per command, so a retry does not post the reply twice.
                    reply = {"text": text, "dedup_id": f"echo-{message['seq']}"}
                    call(http, "POST", f"{room}/messages", reply)
        except KeyboardInterrupt:
            http.delete("/visitors/me").raise_for_status()


def call(http: httpx.Client, method: str, path: str, body: dict[str, Any]) -> Any:
    """Call the API; retry if the connection fails; exit with the problem detail on an error."""
    try:
        response = http.request(method, path, json=body)
    except httpx.TransportError:
        time.sleep(1)
        return call(http, method, path, body)
    if response.is_error:
        sys.exit(response.json()["detail"])
    return response.json()


def receive_messages(http: httpx.Client, room: str) -> Iterator[dict[str, Any]]:
    """Yield each new message exactly once; reconnect if the connection fails."""
    resume_header: dict[str, str] = {}
    while True:
        try:
            with http.stream("GET", f"{room}/events", headers=resume_header) as response:
                if response.is_error:  # no longer a member, or the room has ended
                    sys.exit(json.loads(response.read())["detail"])
                event = id = ""
                for line in response.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        event = value
                    elif field == "id":
                        id = value
                    elif field == "data" and event == "message":
                        yield json.loads(value)
                        resume_header = {"Last-Event-ID": id}
        except httpx.TransportError:
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
