"""Scorer backends: a module a backend with a function `load(base, model, settings)`, imported only when chosen."""
