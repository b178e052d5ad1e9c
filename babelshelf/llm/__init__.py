"""Causal LMs that answer "yes" or "no": where a base model is, and its prompts (shared)."""
