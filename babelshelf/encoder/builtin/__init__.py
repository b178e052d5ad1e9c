"""Built-in encoders: a module each, found by its name, with weights from a Python package."""
