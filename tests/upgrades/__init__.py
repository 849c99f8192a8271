"""Sites as earlier releases have left them, and what could be read there."""
