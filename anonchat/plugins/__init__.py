"""Plugins: what others add to the chat, and what of our own is written the same way."""
