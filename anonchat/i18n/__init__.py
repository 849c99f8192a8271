"""Languages: catalogues of translations, and the texts that they translate."""
