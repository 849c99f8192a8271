"""NiceGUI elements, each a Python class with its script."""
