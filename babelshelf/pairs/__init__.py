"""Labelled pairs in files of users: formats, columns, labels, splits (shared)."""
