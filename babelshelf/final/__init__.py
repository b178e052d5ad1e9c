"""The stage `final`: the training set of the last fit before a submission."""
