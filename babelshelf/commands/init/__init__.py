"""The command `babelshelf init`: look at a user's files of labelled pairs, and write the params that read them.

What is proposed is tried before it is written: all rows are read, and what would be kept and left out is counted.
"""

from babelshelf.commands.init.options import InitOptions
from babelshelf.commands.init.proposal import write

__all__ = ["InitOptions", "write"]
