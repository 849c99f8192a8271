"""Our own plugins, on unless a setting leaves one out; they import the public API alone."""
