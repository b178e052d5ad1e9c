"""Sentence encoders: texts to vectors (shared)."""
