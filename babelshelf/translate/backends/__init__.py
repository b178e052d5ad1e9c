"""Translator backends: a module a backend, imported only when the params name it."""
