"""What programs may ask over HTTP."""

from .health import health_routes

__all__ = ["health_routes"]
