"""Five surfaces over two parameters, on which optimizers race: each shows a trouble that real losses have."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

EDGE = 2.0  # of the square that is drawn: all surfaces share it, and so does the start


@dataclass(frozen=True)
class Surface:
    """A loss over -2 ≤ x ≤ 2, -2 ≤ y ≤ 2, at its smallest 0, in closed form.

    `function(x, y)` takes numbers or arrays; `gradient(x, y)` takes numbers and gives two. `formula` is the function
    as a student reads it.
    """

    formula: str
    function: Callable
    gradient: Callable
    minima: tuple


def plateau_gradient(x, y):
    """The gradient of 1 - exp(-(x - 1)² / 2 - (y + 1)² / 4)."""
    inside = np.exp(-((x - 1) ** 2) / 2 - (y + 1) ** 2 / 4)
    return (x - 1) * inside, (y + 1) / 2 * inside


SURFACES = {
    "elongated bowl": Surface(
        formula="(x² + 20·y²) / 2",
        function=lambda x, y: (x**2 + 20 * y**2) / 2,
        gradient=lambda x, y: (x, 20 * y),
        minima=((0, 0),),
    ),
    "Rosenbrock": Surface(
        formula="(1 − x)² / 20 + (y − x²)²",
        function=lambda x, y: (1 - x) ** 2 / 20 + (y - x**2) ** 2,
        gradient=lambda x, y: ((x - 1) / 10 - 4 * x * (y - x**2), 2 * (y - x**2)),
        minima=((1, 1),),
    ),
    "saddle": Surface(
        formula="1 − x·y + (x⁴ + y⁴) / 8",
        function=lambda x, y: 1 - x * y + (x**4 + y**4) / 8,
        gradient=lambda x, y: (x**3 / 2 - y, y**3 / 2 - x),
        minima=((2**0.5, 2**0.5), (-(2**0.5), -(2**0.5))),
    ),
    "round bowl": Surface(
        formula="(x − 1)² + (y + 0.5)²",
        function=lambda x, y: (x - 1) ** 2 + (y + 0.5) ** 2,
        gradient=lambda x, y: (2 * x - 2, 2 * y + 1),
        minima=((1, -0.5),),
    ),
    "plateau": Surface(
        formula="1 − exp(−(x − 1)² / 2 − (y + 1)² / 4)",
        function=lambda x, y: 1 - np.exp(-((x - 1) ** 2) / 2 - (y + 1) ** 2 / 4),
        gradient=plateau_gradient,
        minima=((1, -1),),
    ),
}
