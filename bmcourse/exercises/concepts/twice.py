"""Ask an answer twice: one that keeps something from call to call gives itself away."""

import copy

from bmcourse.exercises.outcomes import Mistake
from bmcourse.exercises.packing import packed

KEPT = (
    "Called twice with the same input, your code gives two different results: it keeps something from one call to the "
    "next. Let every count and every list begin inside the function."
)


def asked_twice(answer, *case):
    """What an answer gives for a case, if it gives the same again; raises `Mistake` if not."""
    spare = copy.deepcopy(case)
    once = answer(*case)
    if packed(answer(*spare)) != packed(once):
        raise Mistake(KEPT)
    return once
