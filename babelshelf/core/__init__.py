"""The data contract, params, files and errors: used by all other packages, imports none of them."""
