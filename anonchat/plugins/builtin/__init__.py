"""Our own plugins, on unless `ANONCHAT_PLUGINS` leaves one out; they import the public API alone."""
