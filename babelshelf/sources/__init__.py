"""Sources: each package turns one kind of input into a `Marketplace` (`babelshelf.sources.base`) by its `read`."""
