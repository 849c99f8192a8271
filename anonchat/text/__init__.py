"""Texts and names: normalization, look-alikes and display order."""
