"""The stage `dpo`: direct preference optimization of a fine-tuned model."""
