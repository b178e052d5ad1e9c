"""Training of a causal LM with TRL, in one process or several (shared by base_model, sft and dpo)."""
