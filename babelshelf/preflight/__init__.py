"""Checks of what a stage needs, before it begins."""
