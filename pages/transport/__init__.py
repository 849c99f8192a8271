"""Connections, WebSockets and their socket.io packets."""
