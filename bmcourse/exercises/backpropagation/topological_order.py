"""The exercise `topological_order`: an order in which every value comes after what it was computed from."""

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake


@exercise(
    prompt="All values that `result` was computed from, and `result` itself, as a list: each of them once, and after "
    "all its inputs. `value.inputs` is a list of pairs (source, slope), empty for a value that was not computed.",
)
def topological_order(result):
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for source, _ in value.inputs:
                visit(source)
            order.append(value)

    visit(result)
    return order


PAIRS = "value.inputs holds pairs, a value and a slope. Take them apart: `for source, slope in value.inputs`."


class Node:
    """A value as far as its order is concerned."""

    def __init__(self, name):
        self.name, self.inputs, self.data, self.grad = name, [], 1.0, 0.0

    def __repr__(self):
        return self.name


@topological_order.cases
def cases():
    """Names and their inputs; the last one is the result: a chain, a branch, the diamond, unequal ways, a square."""
    return [
        ({"a": "", "b": "a", "c": "b"},),
        ({"a": "", "b": "", "c": "ab"},),
        ({"a": "", "b": "a", "c": "a", "d": "bc"},),
        ({"a": "", "b": "a", "c": "b", "d": "ac", "e": "dab"},),
        ({"a": "", "b": "aa", "c": "bb"},),
        ({"a": ""},),
        ({"w": "", "x": "", "p": "wx", "q": "px", "r": "qw", "s": "pr", "t": "sqx"},),
    ]


@topological_order.run
def what_holds(answer, graph):
    """Which values came how often, and whether each stands after its inputs: any order that keeps this is right."""
    nodes = {name: Node(name) for name in graph}
    for name, sources in graph.items():
        nodes[name].inputs = [(nodes[source], 1.0) for source in sources]
    try:
        order = answer(list(nodes.values())[-1])
    except AttributeError as error:
        raise Mistake(PAIRS) if "'tuple' object" in str(error) else error from None
    if order is None:
        raise Mistake("Your code gave back None. Is `return order` missing?")
    if not isinstance(order, list | tuple) or not all(isinstance(value, Node) for value in order):
        raise Mistake("Return a list of the values themselves: order.append(value), and `return order` at the end.")
    places = {value.name: place for place, value in enumerate(order)}
    wrong = [value.name for value in order if any(places.get(s.name, -1) > places[value.name] for s, _ in value.inputs)]
    names = sorted(value.name for value in order)
    return {"values": names, "before their inputs": wrong, "last": order[-1].name if order else None}


@topological_order.judge
def expected(graph):
    return {"values": sorted(graph), "before their inputs": [], "last": list(graph)[-1]}


@topological_order.right
def without_recursion(result):
    order, seen, todo = [], set(), [(result, False)]
    while todo:
        value, ready = todo.pop()
        if ready:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            todo.append((value, True))
            todo += [(source, False) for source, _ in value.inputs]
    return order


@topological_order.right
def by_users(result):
    found, todo = [], [result]
    while todo:
        value = todo.pop()
        if value not in found:
            found.append(value)
            todo += [source for source, _ in value.inputs]
    order = []
    while len(order) < len(found):
        order += [v for v in found if v not in order and all(s in order for s, _ in v.inputs)]
    return order


@topological_order.right
def with_a_list(result, order=None):
    order = [] if order is None else order
    for source, _ in result.inputs:
        if source not in order:
            with_a_list(source, order)
    order.append(result)
    return order


topological_order.mistake(
    "Each value is right, but the order is the backward one: the result comes first. Its inputs must stand before it.",
    reversed_order=topological_order.changed("return order", "return order[::-1]"),
)


@topological_order.mistake(
    "A value is appended before its inputs are visited. Visit all its inputs first, append it last."
)
def appended_first(result):
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            order.append(value)
            for source, _ in value.inputs:
                visit(source)

    visit(result)
    return order


@topological_order.mistake(
    "You append first and reverse at the end. That is right for a chain, but a value that is used twice can then stand "
    "after one of its users. Append a value after all its inputs."
)
def appended_first_and_reversed(result):
    return appended_first(result)[::-1]


@topological_order.mistake(
    "A value that is used twice stands in your list twice, so its gradient would be passed on twice. Remember what you "
    "have seen."
)
def never_seen(result):
    return [v for source, _ in result.inputs for v in never_seen(source)] + [result]


topological_order.mistake(
    "The result itself is missing. It stands at the end.",
    result_missing=topological_order.changed("return order", "return order[:-1]"),
)


@topological_order.mistake(
    "Values without inputs are missing. They belong to it, too: they are the parameters, whose gradients we want."
)
def leaves_missing(result):
    return [value for value in topological_order(result) if value.inputs]


@topological_order.mistake("Only the inputs of the result came. Go on to the inputs of those, and so on: recursion.")
def one_level(result):
    return [*dict.fromkeys(source for source, _ in result.inputs), result]


@topological_order.mistake(
    "You go level by level and reverse at the end, and a value counts at the first level where you meet it. On unequal "
    "ways it then stands after a value that uses it. Append a value after all its inputs."
)
def level_by_level(result):
    order, todo = [result], [result]
    while todo:
        for source, _ in todo.pop(0).inputs:
            if source not in order:
                order.append(source)
                todo.append(source)
    return order[::-1]


@topological_order.mistake("You follow the first input only. A value may have two: loop over all of value.inputs.")
def first_input(result):
    return [*(first_input(result.inputs[0][0]) if result.inputs else []), result]


topological_order.mistake(
    "Only the result came. Visit its inputs, too, before you append it.",
    result_only=lambda result: [result],
)


@topological_order.mistake(PAIRS)
def pairs_not_taken_apart(result):
    return [*(value for pair in result.inputs for value in pairs_not_taken_apart(pair)), result]


topological_order.hints(
    "When may you append a value? When all its inputs are in the list already.",
    "Write an inner function visit(value): visit all its inputs, then append it.",
    "A set of the values seen keeps visit from going the same way twice: do nothing if the value is in it.",
)
