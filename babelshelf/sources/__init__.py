"""Sources: each module turns one kind of input into a `Marketplace` (`babelshelf.sources.base`)."""
