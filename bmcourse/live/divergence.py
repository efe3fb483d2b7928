"""When a loss has diverged, and what to say about it."""

import math

FACTOR, IN_A_ROW = 10, 20


class Watch:
    """Looks at every logged value. NaN and infinity count in any curve, an explosion only in the first: the loss.

    A loss exploded when 20 values in a row are above ten times the largest of its first ten: noise does not do that.
    """

    def __init__(self):
        self.loss, self.first_values, self.high = None, [], 0
        self.lowest, self.lr_before, self.lr_that_worked, self.largest = math.inf, None, None, 0.0

    def see(self, name, step, value, lr):
        """A sentence if the run makes no sense from here on, else ""; `lr` is the learning rate of this step."""
        self.loss = self.loss or name
        if name == self.loss and math.isfinite(value) and value < self.lowest:
            self.lr_that_worked, self.lowest = self.lr_before, value  # this value is what the step before led to
            self.largest = 0.0
        self.largest = max(self.largest, lr)  # since then: a rate that was lowered too late is not to blame
        if not math.isfinite(value):
            return self._not_finite(name, step, value)
        if name != self.loss:
            return ""
        self.lr_before = lr
        if len(self.first_values) < 10:
            self.first_values.append(abs(value))
            self.limit = FACTOR * max(self.first_values) or math.inf
        self.high = self.high + 1 if value > self.limit else 0
        if self.high < IN_A_ROW:
            return ""
        self.high = 0
        return f"{name} exploded: it was {value:.2g} at step {step}. {self._too_large()}"

    def _not_finite(self, name, step, value):
        what = "NaN" if math.isnan(value) else "infinite"
        if step <= 1:
            return (
                f"{name} was {what} at step {step}, before the model had learned anything. "
                "Look for NaN or infinity in the data, a division by zero, or the logarithm of zero."
            )
        return f"{name} became {what} at step {step}. {self._too_large()}"

    def _too_large(self):
        lr = self.largest
        if self.lr_that_worked is None:
            advice, better = f"{self.loss} never fell", lr / 100
        elif self.lr_that_worked >= lr:
            advice, better = f"{self.loss} fell only at first", lr / 10
        else:
            advice, better = f"{self.loss} last fell at {self.lr_that_worked:.2g}", self.lr_that_worked
        return (
            f"Most likely the learning rate, {lr:.2g}, is too large: {advice}. The weights are spoiled. "
            f"Make a new model, and a new run with lr={better:.1g}."
        )
