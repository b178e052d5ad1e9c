"""Local pages in the browser: server, layout and keys (shared by commands; no stage uses it)."""
