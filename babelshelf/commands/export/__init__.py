"""The command `babelshelf export`: a trained model or a training set, in the format of other tools."""
