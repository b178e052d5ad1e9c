"""The command `babelshelf tune`: which data step gains on a user's own pairs, by the classifier, within minutes."""
