"""The web pages: the only package that imports NiceGUI."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from fastapi import FastAPI
from nicegui import app, core

from anonchat import Chat, CodeHighlighter, Language, PluginHost, Theme

from . import (
    error_pages,
    gallery,
    layout,
    lite,
    login,
    manifest,
    plugin_pages,
    privacy,
    saving,
    shell,
    sign_in,
)
from .busy_page import make_busy_page
from .context import PageContext
from .elements.document_language import install_document_language
from .elements.first_paint import install_first_paint
from .elements.idle_outbox import install_idle_outboxes
from .elements.plugin_area import install_plugin_errors
from .elements.signature_cache import install_signature_cache
from .feeds.broadcaster import FeedBroadcaster
from .feeds.renderer import FeedRenderer
from .http.asset_cache import AssetCacheMiddleware
from .http.auth import SessionAuth
from .http.challenge_pass import ChallengePasses
from .http.cross_origin import CrossOriginProtectionMiddleware
from .http.forwarded_headers import ForwardedHeadersMiddleware
from .http.head_requests import HeadRequestsMiddleware
from .http.open_requests import OpenRequests, OpenRequestsMiddleware
from .http.page_rate_limit import PageRateLimitMiddleware
from .http.path_prefix import PathPrefixMiddleware
from .http.request_guard import RequestGuardMiddleware
from .http.request_rate_limit import RequestRateLimitMiddleware
from .http.security_headers import SecurityHeadersMiddleware, install_nonces
from .layout import ICON
from .transport.client_revoker import ClientRevoker
from .transport.connections import Connections
from .transport.http_protocol import PendingConnections
from .transport.packet_filter import PacketFilterMiddleware
from .transport.packet_rate_limit import PacketRateLimitMiddleware
from .transport.socket_authorizer import SocketAuthorizer

__all__ = [
    "ICON",
    "ClientRevoker",
    "FeedRenderer",
    "PendingConnections",
    "register",
]

_MAX_FRAME_BYTES = 65_536
_TAB_STORAGE_SECONDS = 60  # unused here; NiceGUI's default is 30 days


def register(
    chat: Chat,
    web: FastAPI,
    *,
    plugins: PluginHost,
    languages: Mapping[str, Language],
    themes: Mapping[str, Theme],
) -> Sequence[FeedRenderer | ClientRevoker]:
    """Add all pages to the web application; return the services to start and stop with it."""
    core.sio.eio.max_http_buffer_size = _MAX_FRAME_BYTES
    app.storage.max_tab_storage_age = _TAB_STORAGE_SECONDS
    app.config.socket_io_js_query_params["node"] = chat.settings.node_id  # proxies route by it
    feeds = FeedBroadcaster(chat.clock, chat.metrics, chat.work_budget)
    refused: Counter[str] = Counter()
    connections = Connections(chat.settings, refused=refused)
    sockets = SocketAuthorizer(chat, connections=connections, refused=refused)
    sockets.install()
    chat.metrics.add_gauge("anonchat_screens", "Connected pages.", sockets.count)
    chat.metrics.add_gauge("anonchat_connections", "Open connections.", connections.__len__)
    chat.metrics.add_labelled_counter(
        "anonchat_sockets_refused",
        "Refused sockets, packets and connections.",
        "why",
        lambda: sockets.refused,
    )
    highlighter = CodeHighlighter()
    context = PageContext(chat, feeds, SessionAuth(chat), languages, themes, plugins, highlighter)
    install_nonces()
    install_document_language()
    install_first_paint()
    install_signature_cache()
    install_idle_outboxes()
    install_plugin_errors()
    layout.add_assets(themes.values(), plugins.registry.stylesheets)
    for page in (login, shell, lite, saving, privacy, manifest, plugin_pages):
        page.register(context)
    if chat.settings.log_level == "debug":
        gallery.register(context)
    error_page, rate_limited_page = error_pages.register(context)
    passes = ChallengePasses(chat, context.auth)
    web.include_router(context.auth.routes())
    web.include_router(sign_in.routes(context))
    web.include_router(passes.routes())
    web.state.sockets, web.state.connections = sockets, connections
    web.state.open_requests = OpenRequests()
    web.add_middleware(AssetCacheMiddleware)
    web.add_middleware(HeadRequestsMiddleware)
    web.add_middleware(
        PageRateLimitMiddleware,
        chat=chat,
        auth=context.auth,
        passes=passes,
        static_paths={"/login", "/privacy", *plugins.registry.pages},
        sockets_full=sockets.is_full,
        rate_limited_page=rate_limited_page,
        busy=make_busy_page(context),
    )
    web.add_middleware(PacketRateLimitMiddleware, budget=chat.work_budget)
    web.add_middleware(
        PacketFilterMiddleware,
        engine=sockets.engine,
        close_socket=sockets.close_socket,
        refused=sockets.refused,
    )
    web.add_middleware(
        CrossOriginProtectionMiddleware,
        base_url=chat.settings.base_url,
        misdirected_page=partial(error_pages.make_misdirected_page, context),
    )
    web.add_middleware(RequestGuardMiddleware, error_page=error_page)
    web.add_middleware(RequestRateLimitMiddleware, limit=chat.limits.requests)
    web.add_middleware(OpenRequestsMiddleware, open_requests=web.state.open_requests)
    web.add_middleware(SecurityHeadersMiddleware, base_url=chat.settings.base_url)
    # Added last, so outermost: the others need the real client address and the path in the site.
    web.add_middleware(PathPrefixMiddleware, base_path=chat.settings.base_path)
    web.add_middleware(ForwardedHeadersMiddleware, trusted=chat.settings.trusted_proxies)
    web.state.client_revoker = revoker = ClientRevoker(chat, context.auth, sockets)
    return FeedRenderer(chat, feeds, highlighter, plugins.drawer), revoker
