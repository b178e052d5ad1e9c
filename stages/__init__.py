"""The stages of dvc.yaml, one short script each: read params, call the library, write outputs and metrics."""
