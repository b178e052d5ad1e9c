"""Scorer backends: a module each, with a context manager `load(base, model, settings)`, imported only when chosen."""
