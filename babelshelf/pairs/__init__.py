"""Labelled pairs in files: read, cleaned, split and counted; what the sources that read pairs have in common."""
