"""Babelshelf: data-centric multilingual product-search relevance.

The library behind the stages: pure functions and model backends, which know nothing of DVC or of fixed paths.
"""
