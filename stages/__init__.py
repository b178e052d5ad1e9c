"""The stages of dvc.yaml, one short script each: read params, call the library, write outputs and metrics."""

from babelshelf.core.threads import limit_threads

limit_threads()
