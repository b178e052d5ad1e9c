"""How gains are written, and what is said of them."""

from __future__ import annotations

from babelshelf.evaluate.bootstrap import Difference

SIGNIFICANT = 0.05


def gain(difference: Difference) -> str:
    """A gain in points, never without its interval."""
    return f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def verdict(difference: Difference, p: float = 0.0) -> str:
    """Verdict on a gain, by its interval and its corrected p value; one seed allows none."""
    if difference.seeds == 1:
        return "one seed"
    if difference.low <= 0 <= difference.high or p > SIGNIFICANT:
        return "no evidence"
    return "gain" if difference.value > 0 else "loss"


def p_value(value: float) -> str:
    """A p value to three digits."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
