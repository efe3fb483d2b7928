"""The exercise `most_exact` of lesson 01."""

from bmcourse.exercises.core import exercise


@exercise(
    prompt='The most exact precision in which the weights fit into `memory` bytes: "fp32", "bf16", "int8", "int4", or '
    "None where none of them fits. The number in a name is its bits."
)
def most_exact(parameters, memory):
    for precision, size in {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}.items():
        if parameters * size <= memory:
            return precision
    return None


@most_exact.right
def exact_by_ifs(parameters, memory):
    bits = 8 * memory / parameters
    if bits >= 32:
        return "fp32"
    if bits >= 16:
        return "bf16"
    if bits >= 8:
        return "int8"
    return "int4" if bits >= 4 else None


@most_exact.right
def exact_by_next(parameters, memory):
    sizes = [(32, "fp32"), (16, "bf16"), (8, "int8"), (4, "int4")]
    return next((name for bits, name in sizes if parameters * bits <= 8 * memory), None)


@most_exact.right
def exact_by_max(parameters, memory):
    sizes = {"int4": 0.5, "int8": 1, "bf16": 2, "fp32": 4}
    fitting = {size: name for name, size in sizes.items() if size * parameters <= memory}
    return fitting[max(fitting)] if fitting else None


def first_that_fits(sizes, fits):
    return next((name for name, size in sizes.items() if fits(size)), None)


SIZES = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}


@most_exact.cases
def cases():
    return [
        (1e9, 100e9),
        (7e9, 16e9),
        (70e9, 80e9),
        (70e9, 40e9),
        (175e9, 80e9),
        (1e9, 4e9),
        (8e9, 4e9),
        (8e9, 8e9),
        (3e9, 6e9),
        (10e9, 39e9),
        (1e9, 1),
    ]


most_exact.mistake(
    "Weights that fill the memory to the last byte fit: use <=.",
    TODO_57=lambda parameters, memory: first_that_fits(SIZES, lambda size: size * parameters < memory),
)


most_exact.mistake(
    "You count a byte for each bit. A byte has 8 bits: fp32 takes 4 bytes, int4 half a byte.",
    TODO_58=lambda parameters, memory: first_that_fits(SIZES, lambda size: 8 * size * parameters <= memory),
)


most_exact.mistake(
    "You take the smallest that fits. Start with the most exact, fp32, and go down.",
    TODO_59=lambda parameters, memory: first_that_fits(
        dict(reversed(SIZES.items())), lambda size: size * parameters <= memory
    ),
)


most_exact.mistake(
    "int4 has 4 bits: half a byte. Two of its numbers share one byte.",
    TODO_60=lambda parameters, memory: first_that_fits({**SIZES, "int4": 1}, lambda size: size * parameters <= memory),
)


most_exact.mistake(
    "Where not even int4 fits, say so: return None.",
    TODO_61=lambda parameters, memory: most_exact(parameters, memory) or "int4",
)


most_exact.mistake(
    "Where nothing fits, your code raises an error. Return None there.",
    TODO_62=lambda parameters, memory: next(name for name, size in SIZES.items() if size * parameters <= memory),
)


most_exact.mistake(
    "You leave room for gradients and an optimizer. This model only answers: its weights alone must fit.",
    TODO_63=lambda parameters, memory: first_that_fits(SIZES, lambda size: 4 * size * parameters <= memory),
)


most_exact.mistake(
    "Your comparison is the wrong way round: the weights must be smaller than the memory.",
    TODO_64=lambda parameters, memory: first_that_fits(SIZES, lambda size: size * parameters >= memory),
)


most_exact.mistake(
    "You compare one weight with the memory. Multiply by the number of parameters.",
    TODO_65=lambda parameters, memory: first_that_fits(SIZES, lambda size: size <= memory),
)


most_exact.mistake(
    "You try fp32 only. Go on: bf16, int8 and int4 are smaller.",
    TODO_66=lambda parameters, memory: "fp32" if 4 * parameters <= memory else None,
)


most_exact.hints(
    "How many bytes does one number take in each precision? The number in the name is its bits.",
    "fp32: 4 bytes, bf16: 2, int8: 1, int4: 0.5. Try them in this order.",
    "Return the first for which parameters * size <= memory, and None after the loop.",
)
