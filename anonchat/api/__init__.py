"""The HTTP API."""

from .application import api_routes
from .health import health_routes
from .plugin_routes import add_plugin_routes
from .streams import Streams

__all__ = ["Streams", "add_plugin_routes", "api_routes", "health_routes"]
