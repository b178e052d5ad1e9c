"""Sources: each package turns one kind of input into a `Marketplace` (`babelshelf.prepare.marketplace`) by its `read`."""
