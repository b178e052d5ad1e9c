"""Sources: each module or package turns one kind of input into a `Marketplace` by its `read`."""
