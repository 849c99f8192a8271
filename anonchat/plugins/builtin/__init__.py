"""The plugins that come with anonchat."""
