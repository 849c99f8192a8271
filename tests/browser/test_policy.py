"""The strict headers, in a browser that obeys them."""

from tests.browser.person import Person
from tests.browser.world import World

_WATCH = """
window.violations = JSON.parse(sessionStorage.violations ?? "[]");
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
    sessionStorage.violations = JSON.stringify(window.violations);
});
"""
_SMUGGLE = """
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

_NO_SOCKETS = """
window.WebSocket = class {
    constructor() { setTimeout(() => this.onerror?.(new Event("error"))); }
    close() {}
};
"""


async def _violations(person: Person) -> list[str]:
    said: list[str] = await person.page.evaluate("window.violations")
    return said


async def test_no_page_does_what_its_policy_forbids(world: World, room: str) -> None:
    ann = await world.person("Ann")
    await ann.page.add_init_script(_WATCH)
    await ann.goes_to("/login?next=/privacy")
    await ann.button(ann.words.suggest).click()
    await ann.gives(ann.nickname)
    await ann.is_at("/privacy")
    assert await _violations(ann) == []
    await ann.goes_to("/")
    await ann.opens(room)
    await ann.is_connected()
    await ann.says("is anybody there?", "a line\nand https://chat.example/ to look at")
    await ann.button(ann.words.invite).click()
    await ann.page.keyboard.press("Escape")
    assert await _violations(ann) == []
    await ann.leaves()
    for path in ("/nowhere", "/r/nowhere", "/api/v1/docs", "/privacy", "/"):
        ann.forgives = "Failed to load resource"  # two of them are not there
        await ann.goes_to(path)
        assert await _violations(ann) == []


async def test_what_somebody_has_smuggled_in_does_nothing(world: World) -> None:
    ann = await world.visitor("Ann")
    ann.forgives = "Content Security Policy|evil.example"
    await ann.page.evaluate(_WATCH)
    await ann.page.evaluate(_SMUGGLE)
    wanted = {"script-src-attr", "script-src-elem", "frame-src", "connect-src"}

    async def forbidden() -> bool:
        return {line.split()[0] for line in await _violations(ann)} >= wanted

    await ann.eventually(forbidden, True)
    assert await ann.page.evaluate("window.ran") is None


async def test_pages_travel_compressed(world: World) -> None:
    ann = await world.person("Ann")
    answer = await ann.page.goto(f"{ann.home}/login")
    assert answer
    assert (await answer.all_headers())["content-encoding"] == "gzip"


async def test_who_has_no_web_sockets_is_welcome_too(world: World, room: str) -> None:
    ann = await world.person("Ann")
    await ann.page.add_init_script(_NO_SOCKETS)
    await ann.comes_in()
    await ann.opens(room)
    await ann.says("is anybody there?")
    assert await ann.page.evaluate("window.socket.io.engine.transport.name") == "polling"
