"""The stage `filter`: self-validation of training rows."""
