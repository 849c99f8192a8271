"""A plugin for the tests of the pages."""

from pathlib import Path

SAMPLE = Path(__file__).with_name("sample.py")
"""The file of the plugin."""
