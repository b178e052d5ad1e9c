"""The stage `sft`: supervised fine-tuning on "yes" and "no"."""
