"""An echo bot: `python echo_bot.py http://localhost:8080 "night train"`.

It replies to `!echo hello` in that room with `hello`. Ctrl+C or SIGTERM stops it and deletes its
visitor.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

USAGE = 'usage: python echo_bot.py URL ROOM, such as http://localhost:8080 "night train"'
COMMAND = "!echo "
TIMEOUT = httpx.Timeout(10, read=45)  # a stream sends something every 15 seconds
RETRY_SECONDS = 1
TEMPORARY_STATUSES = (429, 502, 503, 504)  # too many requests, or a server that restarts


def main(site: str, name: str) -> None:
    with httpx.Client(base_url=f"{site.rstrip('/')}/api/v1", timeout=TIMEOUT) as http:
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
    """Call the API; retry while the server cannot answer; exit with the reason on an error."""
    while True:
        try:
            response = http.request(method, path, json=body)
        except httpx.TransportError:
            pass
        else:
            if response.status_code not in TEMPORARY_STATUSES:
                exit_on_error(response)
                return response.json()
        time.sleep(RETRY_SECONDS)


def receive_messages(http: httpx.Client, room: str) -> Iterator[dict[str, Any]]:
    """Yield each new message exactly once; reconnect whenever the connection ends."""
    resume_header: dict[str, str] = {}
    while True:
        try:
            with http.stream("GET", f"{room}/events", headers=resume_header) as response:
                if response.status_code not in TEMPORARY_STATUSES:
                    exit_on_error(response)  # no longer a member, or the room has ended
                    event = id = ""
                    for line in response.iter_lines():
                        field, _, value = line.partition(": ")
                        if field == "event":
                            event = value
                        elif field == "id":
                            id = value
                        elif field == "data":
                            if event == "message":
                                yield json.loads(value)
                            if id:  # that of a message, or of the end of the backlog
                                resume_header = {"Last-Event-ID": id}
        except httpx.TransportError:
            pass
        time.sleep(RETRY_SECONDS)


def exit_on_error(response: httpx.Response) -> None:
    if response.is_error:
        response.read()
        is_problem = response.headers.get("Content-Type") == "application/problem+json"
        sys.exit(response.json()["detail"] if is_problem else response.text)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[1].startswith(("http://", "https://")):
        sys.exit(USAGE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(*sys.argv[1:])
