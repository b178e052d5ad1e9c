"""Number of threads of a stage: the param `threads` overrides the environment.

Sums of floats depend on the number of threads, so the same bytes need the same number of threads. The package
`stages` calls `limit_threads` before it imports numeric libraries, because they read the environment at import.
"""

from __future__ import annotations

import os
from pathlib import Path

from babelshelf.core.params import PARAMS_FILE, load_threads

# Read by torch, MKL and FAISS (OpenMP) and by NumPy's OpenBLAS; child processes inherit them.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(file: Path = PARAMS_FILE) -> None:
    """Set the environment variables for threads to the param; do nothing if `file` is missing, as the stage reports it.

    Raises:
        InputError: the param is missing or not a number above 0.
    """
    if file.is_file():
        os.environ.update(dict.fromkeys(VARIABLES, str(load_threads(file))))
