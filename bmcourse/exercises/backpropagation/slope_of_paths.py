"""The exercise `slope_of_paths`: multiply along a path, add over the paths."""

import math

from bmcourse.exercises.core import exercise


@exercise(
    prompt="How fast the result changes with an input, from the local slopes. `paths` has one list for each path from"
    " the input to the result, with the local slopes of its steps: [[2.0, 3.0], [4.0]] are two paths. Without "
    "any path the input changes nothing: 0. A path without steps means that the input is the result itself: "
    "slope 1.",
)
def slope_of_paths(paths):
    total = 0.0
    for path in paths:
        slope = 1.0
        for local in path:
            slope = slope * local
        total = total + slope
    return total


@slope_of_paths.cases
def cases():
    return [
        ([[2.0, 3.0]],),
        ([[2.0, 3.0], [4.0]],),
        ([[-1.0], [5.0, 0.5, 2.0], [3.0, 3.0], [-1.0]],),
        ([[0.0, 7.0], [1.5, -2.0]],),
        ([],),
        ([[]],),
        ([[0.5] * 10],),
    ]


@slope_of_paths.judge
def by_fsum(paths):
    return math.fsum(math.prod(path, start=1.0) for path in paths)


@slope_of_paths.right
def by_prod(paths):
    return float(sum(math.prod(path) for path in paths))


@slope_of_paths.right
def backward(paths):
    total = 0.0
    for path in paths:
        slope = 1.0
        for local in reversed(path):
            slope *= local
        total += slope
    return total


@slope_of_paths.right
def by_recursion(paths):
    def along(path):
        return path[0] * along(path[1:]) if path else 1.0

    return sum(map(along, paths), 0.0)


slope_of_paths.mistake(
    "You add the slopes along a path. Each step scales the change that comes in: multiply along the path.",
    added_along=lambda paths: float(sum(sum(path) for path in paths)),
)
slope_of_paths.mistake(
    "You multiply the paths with each other. Each path brings its own change: add the paths.",
    multiplied_over=lambda paths: math.prod(math.prod(path, start=1.0) for path in paths),
)
slope_of_paths.mistake(
    "It is the other way round: multiply along a path, add over the paths. You add along and multiply over.",
    exchanged=lambda paths: math.prod((sum(path) for path in paths), start=1.0),
)
slope_of_paths.mistake(
    "You follow the first path only. The input reaches the result on every path: add them all.",
    first_path=lambda paths: math.prod(paths[0], start=1.0) if paths else 0.0,
)
slope_of_paths.mistake(
    "You keep the last path only: total = slope overwrites what the others brought. Add: total = total + slope.",
    last_path=slope_of_paths.changed("total = total + slope", "total = slope"),
)
slope_of_paths.mistake(
    "You take the mean over the paths. Their changes add up: no division.",
    mean=lambda paths: sum(math.prod(path, start=1.0) for path in paths) / max(len(paths), 1),
)
slope_of_paths.mistake(
    "You take the steepest path. All of them carry the change at once: add them.",
    steepest=lambda paths: max((math.prod(path, start=1.0) for path in paths), default=0.0),
)
slope_of_paths.mistake(
    "The product starts at 0, and stays 0. It must start at 1.",
    starts_at_zero=slope_of_paths.changed("slope = 1.0", "slope = 0.0"),
)
slope_of_paths.mistake(
    "The sum over the paths starts at 1: every slope is 1 too large. It must start at 0.",
    sum_starts_at_one=slope_of_paths.changed("total = 0.0", "total = 1.0"),
)
slope_of_paths.mistake(
    "The slope is not set back to 1 for each path: the second path begins with the product of the first.",
    never_set_back=slope_of_paths.changed(
        "    for path in paths:\n        slope = 1.0\n", "    slope = 1.0\n    for path in paths:\n"
    ),
)
slope_of_paths.mistake(
    "You take the last step of each path only. Every step on the way scales the change: multiply all of them.",
    last_step=slope_of_paths.changed("slope = slope * local", "slope = local"),
)
slope_of_paths.mistake(
    "You leave a path out that has no steps. It leads from the result to itself, and its slope is 1.",
    no_empty_path=lambda paths: float(sum(math.prod(path) for path in paths if path)),
)
slope_of_paths.mistake(
    "A list came, with a number for each path. One number is asked for: their sum.",
    list_of_slopes=lambda paths: [math.prod(path, start=1.0) for path in paths],
)


@slope_of_paths.mistake("`return` stands inside the loop, so only the first path counts. Move it out, to the left.")
def return_in_the_loop(paths):
    total = 0.0
    for path in paths:
        total += math.prod(path, start=1.0)
        return total
    return None


slope_of_paths.hints(
    "A step with slope 3 makes every change three times as large. What do two steps make of it, one after the other?",
    "Two paths bring two changes to the same result, at the same time.",
    "For each path multiply its slopes, starting at 1. Add what comes out, starting at 0.",
)
