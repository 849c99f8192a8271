"""A theme: green, with round corners."""

from anonchat.plugins import Plugin

plugin = Plugin("felt")
plugin.theme("felt", title="Felt", accent="#0a6b4f", radius="16px", headline="Take a seat")
