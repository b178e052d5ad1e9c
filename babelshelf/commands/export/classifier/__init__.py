"""What `--to classifier` writes: a module that scores pairs with NumPy alone, and the same computation as ONNX."""
