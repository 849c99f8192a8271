"""Translations, language selection and formatting."""
