"""Live parts of a screen: lists that are drawn once for all, the composer, the finder."""
