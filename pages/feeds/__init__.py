"""Live lists: topics, fan-out to open pages, and rendering of events."""
