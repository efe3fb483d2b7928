"""When a loss has diverged, and what to say about it."""

import math

FACTOR, IN_A_ROW = 10, 20


class Watch:
    """Looks at every logged value. NaN and infinity count in any curve, an explosion only in the first: the loss.

    A loss exploded when 20 values in a row are above ten times the largest of its first ten: noise does not do that.
    """

    def __init__(self):
        self.loss, self.first_values, self.high = None, [], 0

    def see(self, name, step, value, lr):
        """A sentence if the run makes no sense from here on, else ""."""
        self.loss = self.loss or name
        if not math.isfinite(value):
            return not_finite(name, step, value, lr)
        if name != self.loss:
            return ""
        if len(self.first_values) < 10:
            self.first_values.append(abs(value))
            self.limit = FACTOR * max(self.first_values) or math.inf
        self.high = self.high + 1 if value > self.limit else 0
        if self.high < IN_A_ROW:
            return ""
        self.high = 0
        return f"{name} exploded: it was {value:.2g} at step {step}. {too_large(lr)}"


def not_finite(name, step, value, lr):
    what = "NaN" if math.isnan(value) else "infinite"
    if step <= 1:
        return (
            f"{name} was {what} at step {step}, before the model had learned anything. "
            "Look for NaN or infinity in the data, a division by zero, or the logarithm of zero."
        )
    return f"{name} became {what} at step {step}. {too_large(lr)}"


def too_large(lr):
    return (
        f"Most likely the learning rate, {lr:.2g}, is too large. The weights are spoiled: "
        f"make a new model, and a new run with lr={lr / 10:.1g}."
    )
