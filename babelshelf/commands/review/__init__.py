"""`babelshelf review`: people decide on labels in a local page, or in another tool."""
