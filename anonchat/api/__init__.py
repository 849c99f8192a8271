"""The HTTP API."""

from .application import api_routes
from .health import health_routes
from .streams import Streams

__all__ = ["Streams", "api_routes", "health_routes"]
