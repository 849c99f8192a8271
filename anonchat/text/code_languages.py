"""The languages whose code is drawn in colours."""

_WORDS = {
    "bash": "bash sh shell zsh",
    "cpp": "cpp c++ cc cxx hpp c h",
    "css": "css",
    "go": "go golang",
    "html": "html htm",
    "java": "java",
    "javascript": "javascript js jsx mjs",
    "json": "json",
    "python": "python py python3",
    "rust": "rust rs",
    "sql": "sql",
    "typescript": "typescript ts tsx",
}

CODE_LANGUAGES = {word: name for name, words in _WORDS.items() for word in words.split()}
"""The names of the languages, by the words for them."""
