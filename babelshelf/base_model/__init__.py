"""The stage `base_model`: the base LM and the embedder."""
