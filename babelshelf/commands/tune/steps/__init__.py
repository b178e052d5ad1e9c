"""The data steps that `babelshelf tune` tries: a file each, found by its name; see `recipe.DataStep`."""
