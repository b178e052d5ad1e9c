"""The stage `translate`: training queries in languages without labels."""
