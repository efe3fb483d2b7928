"""The exercise `backpropagate`: the backward sweep, which adds where a value is used twice."""

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="The backward pass. `order` has values, each after its inputs; the last is the result. `value.inputs` is a "
    "list of pairs (source, slope). Write into each `value.grad` how fast the result changes with it. A value that was "
    "computed starts at 0; one without inputs adds to the `grad` it has, as torch does. Returns nothing.",
    untried={"order": {"the same item twice": "every value stands in its order once"}},
)
def backpropagate(order):
    for value in order:
        if value.inputs:
            value.grad = 0.0
    order[-1].grad += 1.0
    for value in reversed(order):
        for source, slope in value.inputs:
            source.grad += slope * value.grad


class Node:
    """A value as far as the backward pass is concerned."""

    def __init__(self, name, grad=0.0):
        self.name, self.inputs, self.data, self.grad = name, [], 3.0, grad

    def __repr__(self):
        return self.name


@backpropagate.cases
def cases():
    """Each value's inputs as (number, slope); what each grad holds before; how often the pass is done."""
    chain, branch = [[], [(0, 3.0)], [(1, -2.0)]], [[], [(0, 2.0)], [(0, 5.0)], [(1, 1.0), (2, 3.0)]]
    square = [[], [(0, 4.0), (0, 4.0)]]
    uneven = [[], [], [(0, 2.0), (1, -1.0)], [(2, 0.5), (0, 7.0)], [(3, 1.0), (2, 3.0), (1, 0.0)]]
    return [
        (chain, 0.0, 1),
        (branch, 0.0, 1),
        (square, 0.0, 1),
        (uneven, 0.0, 1),
        (branch, 10.0, 1),
        (chain, 0.0, 2),
        (uneven, 0.0, 3),
        ([[]], 0.0, 1),
    ]


@backpropagate.run
def gradients(answer, graph, before, passes):
    nodes = [Node(f"v{number}", before) for number in range(len(graph))]
    for node, inputs in zip(nodes, graph, strict=True):
        node.inputs = [(nodes[number], slope) for number, slope in inputs]
    for _ in range(passes):
        order = list(nodes)
        answer(order)
        if order != nodes:
            raise Mistake("Your code changes the list it was given. reversed(order) walks backward and leaves it.")
    return [float(node.grad) for node in nodes]


@backpropagate.judge
def path_by_path(graph, before, passes):
    """The slopes by the definition: multiplied along each path, added over all of them."""

    def slope(start, end):
        return 1.0 if start == end else sum(local * slope(start, number) for number, local in graph[end])

    slopes = [slope(number, len(graph) - 1) for number in range(len(graph))]
    return [one if inputs else before + passes * one for one, inputs in zip(slopes, graph, strict=True)]


@backpropagate.right
def with_indices(order):
    for i in range(len(order)):
        if len(order[i].inputs) > 0:
            order[i].grad = 0.0
    order[-1].grad = order[-1].grad + 1.0
    for i in range(len(order) - 1, -1, -1):
        for pair in order[i].inputs:
            pair[0].grad = pair[0].grad + pair[1] * order[i].grad


@backpropagate.right
def with_a_dictionary(order):
    slopes = dict.fromkeys(order, 0.0)
    slopes[order[-1]] = 1.0
    for value in order[::-1]:
        for source, slope in value.inputs:
            slopes[source] += slopes[value] * slope
    for value, slope in slopes.items():
        value.grad = slope if value.inputs else value.grad + slope


@backpropagate.right
def from_the_users(order):
    kept = {value: 0.0 if value.inputs else value.grad for value in order}
    fresh = {}
    for value in reversed(order):
        users = [(user, slope) for user in order for source, slope in user.inputs if source is value]
        fresh[value] = (1.0 if value is order[-1] else 0.0) + sum(slope * fresh[user] for user, slope in users)
    for value in order:
        value.grad = kept[value] + fresh[value]


RESET = "    for value in order:\n        if value.inputs:\n            value.grad = 0.0\n"

backpropagate.mistake(
    "A value that is used twice keeps only one of its gradients: `=` overwrites what came on the other path. Add: "
    "source.grad += ...",
    overwritten=backpropagate.changed("source.grad +=", "source.grad ="),
)
backpropagate.mistake(
    "You set every gradient to 0 at the beginning, also those of values without inputs. These add to what they have, "
    "as in torch: that is why a loop needs zero_grad.",
    all_set_to_zero=backpropagate.changed("if value.inputs:", "if True:"),
)
backpropagate.mistake(
    "Values that were computed begin with what an earlier pass has left, and pass it on. Set their grad to 0 first.",
    none_set_to_zero=backpropagate.changed(RESET, ""),
)
backpropagate.mistake(
    "Only the inputs of the result get a gradient. A value needs its own before it can pass it on: walk backward, "
    "through the whole of reversed(order).",
    forward=backpropagate.changed("reversed(order)", "order"),
)
backpropagate.mistake(
    "Nothing starts it: the slope of the result with respect to itself is 1. Set order[-1].grad first.",
    never_started=backpropagate.changed("order[-1].grad += 1.0", "order[-1].grad += 0.0"),
)
backpropagate.mistake(
    "You start at the first value of the order. The result is the last one, order[-1].",
    started_at_the_wrong_end=backpropagate.changed("order[-1]", "order[0]"),
)
backpropagate.mistake(
    "You pass the local slope on without what comes from above. Chain rule: slope * value.grad.",
    local_only=backpropagate.changed("slope * value.grad", "slope"),
)
backpropagate.mistake(
    "You pass on what comes from above without the local slope. Chain rule: slope * value.grad.",
    upstream_only=backpropagate.changed("slope * value.grad", "value.grad"),
)
backpropagate.mistake(
    "You add local slope and gradient. The chain rule multiplies them.",
    added=backpropagate.changed("slope * value.grad", "slope + value.grad"),
)
backpropagate.mistake(
    "You multiply into the gradient (*=), which starts at 0 and stays 0. Add: source.grad += slope * value.grad.",
    multiplied=backpropagate.changed("source.grad += slope", "source.grad *= slope"),
)
backpropagate.mistake(
    "You multiply by the value's number, `data`. What comes from above is its gradient, value.grad.",
    data_for_grad=backpropagate.changed("slope * value.grad", "slope * value.data"),
)
backpropagate.mistake(
    "You subtract. That would be a step of gradient descent; here gradients are only added up.",
    subtracted=backpropagate.changed("source.grad +=", "source.grad -="),
)


@backpropagate.mistake("Only the first input of each value gets its share. Loop over all of value.inputs.")
def first_input(order):
    for value in order:
        if value.inputs:
            value.grad = 0.0
    order[-1].grad += 1.0
    for value in reversed(order):
        for source, slope in value.inputs[:1]:
            source.grad += slope * value.grad


@backpropagate.mistake(
    "Values that were computed keep what an earlier pass has left in them, and pass it on again. Set their grad to 0 "
    "before the walk."
)
def only_the_result_is_set(order):
    order[-1].grad = 1.0
    for value in reversed(order):
        for source, slope in value.inputs:
            source.grad += slope * value.grad


backpropagate.hints(
    "Three parts: set to 0 what was computed, give the result the gradient 1, walk backward.",
    "At each value: for source, slope in value.inputs. What does the chain rule pass on to source?",
    "slope * value.grad, added with +=, because another path may have brought something already.",
)
