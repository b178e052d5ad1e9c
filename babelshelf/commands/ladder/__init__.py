"""The command `babelshelf ladder`: rows of recipes, each run as a DVC experiment."""
