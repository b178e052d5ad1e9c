"""The stage `evaluate`: metrics on test, with intervals."""
