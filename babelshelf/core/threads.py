"""The number of threads of a stage: the param `threads`, whatever the environment says.

Sums of floats depend on how many threads share them, so the same number of threads gives the same bytes. The package
`stages` calls `limit_threads` before any library that computes is imported, as they read the environment then.
"""

from __future__ import annotations

import os
from pathlib import Path

from babelshelf.core.params import PARAMS_FILE, load_threads

# Of torch, MKL, FAISS (all by OpenMP) and NumPy's OpenBLAS; processes that the stage starts inherit them.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit_threads(file: Path = PARAMS_FILE) -> None:
    """Set the environment's numbers of threads to the param; without the file nothing, as the stage will say so.

    Raises:
        InputError: the param is missing or no number above 0.
    """
    if file.is_file():
        os.environ.update(dict.fromkeys(VARIABLES, str(load_threads(file))))
