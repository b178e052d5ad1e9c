"""The data contract, params, files and errors: what all other packages may use; it knows none of them."""
