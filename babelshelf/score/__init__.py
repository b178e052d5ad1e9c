"""The stages `score`, `score_train` and `predict`: p(yes) of pairs."""
