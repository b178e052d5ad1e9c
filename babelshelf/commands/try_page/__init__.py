"""The command `babelshelf try`: a local page that answers a query with the model, and shows what it learned from."""
