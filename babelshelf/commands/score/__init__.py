"""The command `babelshelf score`: p(yes) of the pairs of a file."""
