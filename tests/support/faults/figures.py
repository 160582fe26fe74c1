"""How many faults were tried."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Figures:
    flows: dict[str, list[str]] = field(default_factory=dict)
    """The calls of each flow, as they were discovered."""
    tried: Counter[str] = field(default_factory=Counter)
    """How many runs each fault was tried in."""
    storms: dict[int, int] = field(default_factory=dict)
    """How many faults there were in each storm."""
    interleaved: int = 0
    """How many runs were interleaved with something else."""
    lost: int = 0
    seed: int | None = None
    """Of the choice of faults, if there was one."""
