"""The commands of `babelshelf`, a module or package each."""
