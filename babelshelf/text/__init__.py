"""Normal forms, words and language identification of queries and candidates (shared)."""
