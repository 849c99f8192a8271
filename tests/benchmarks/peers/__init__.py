"""What anonchat is measured against: each file is a server that does the same work."""
