"""The exercise `most_exact`: the largest number format in which a model fits into a memory."""

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
        (3, 5),
        (3, 2),
        (3, 1),
        (1e9, 0.5e9 - 1),
        (1e9, 4e9 - 1),
        (1e9, 4.2e9),
    ]


@most_exact.right
def by_ifs(parameters, memory):
    bits = 8 * memory / parameters
    if bits >= 32:
        return "fp32"
    if bits >= 16:
        return "bf16"
    if bits >= 8:
        return "int8"
    return "int4" if bits >= 4 else None


@most_exact.right
def by_next(parameters, memory):
    sizes = [(32, "fp32"), (16, "bf16"), (8, "int8"), (4, "int4")]
    return next((name for bits, name in sizes if parameters * bits <= 8 * memory), None)


@most_exact.right
def by_max(parameters, memory):
    sizes = {"int4": 0.5, "int8": 1, "bf16": 2, "fp32": 4}
    fitting = {size: name for name, size in sizes.items() if size * parameters <= memory}
    return fitting[max(fitting)] if fitting else None


@most_exact.right
def by_the_name(parameters, memory):
    fitting = [
        name for name in ("int4", "int8", "bf16", "fp32") if parameters * int(name.strip("intbfp")) <= 8 * memory
    ]
    return fitting[-1] if fitting else None


SIZES = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 0.5}


def first(sizes=SIZES, fits=lambda size, parameters, memory: size * parameters <= memory, nothing=None):
    """A wrong choice: the first of `sizes` that fits."""

    def answer(parameters, memory):
        return next((name for name, size in sizes.items() if fits(size, parameters, memory)), nothing)

    return answer


def with_sizes(**sizes):
    """A wrong choice: one with other sizes."""
    return first({**SIZES, **sizes})


def without(name):
    return first({other: size for other, size in SIZES.items() if other != name})


def factor(number):
    """A wrong choice: one that takes `number` times as much room."""
    return first(fits=lambda size, parameters, memory: number * size * parameters <= memory)


most_exact.mistake(
    "Weights that fill the memory to the last byte fit: use <=.",
    must_leave_a_byte=first(fits=lambda size, parameters, memory: size * parameters < memory),
)
most_exact.mistake(
    "You count a byte for each bit. A byte has 8 bits: fp32 takes 4 bytes, int4 half a byte.", bits_as_bytes=factor(8)
)
most_exact.mistake(
    "Your sizes are half of what they should be: fp32 takes 4 bytes, bf16 2, int8 1, int4 half a byte.",
    half_the_sizes=factor(1 / 2),
)
most_exact.mistake(
    "Your sizes are twice what they should be: fp32 takes 4 bytes, bf16 2, int8 1, int4 half a byte.",
    twice_the_sizes=factor(2),
)
most_exact.mistake(
    "You leave room for gradients and an optimizer. This model only answers: its weights alone must fit.",
    room_to_train=factor(4),
)
most_exact.mistake(
    "You leave room for gradients and momentum. This model only answers: its weights alone must fit.",
    room_for_momentum=factor(3),
)
most_exact.mistake(
    "You divide the bits by 8 twice. A number with 8 bits takes one byte.", divided_by_eight_twice=factor(1 / 8)
)
most_exact.mistake(
    "You leave a fifth of the memory free. Weights that fill it to the last byte fit.", some_room=factor(1.2)
)
most_exact.mistake(
    "A tenth of the memory stays free in your choice. Weights that fill it to the last byte fit.",
    little_room=factor(1.1),
)
most_exact.mistake(
    "You turn one side into billions, and not the other. `memory` is in bytes: compare the weights in bytes with it.",
    one_side_in_billions=first(fits=lambda size, parameters, memory: size * parameters <= memory * 1e9),
)
most_exact.mistake(
    "You turn the weights into gigabytes with 2**30 and the memory with 1e9, or the other way round. Both are in "
    "bytes: compare them as they are.",
    two_kinds_of_gigabyte=first(fits=lambda size, parameters, memory: size * parameters / 2**30 <= memory / 1e9),
)
most_exact.mistake(
    "You take the smallest that fits. Start with the most exact, fp32, and go down.",
    smallest=first(dict(reversed(SIZES.items()))),
)
most_exact.mistake(
    "Your code never chooses int4. It has 4 bits, which is half a byte: two of its numbers share one. (// throws the "
    "half away: divide with /.)",
    int4_never=with_sizes(int4=1),
)
most_exact.mistake(
    "Where not even int4 fits, return None. You return int4 there: compare its half byte too. (4 // 8 is 0: divide "
    "with /.)",
    int4_for_nothing=with_sizes(int4=0),
)
most_exact.mistake(
    "int4 has 4 bits, which is half a byte. You give it a quarter.", int4_of_a_quarter=with_sizes(int4=0.25)
)
most_exact.mistake(
    "int4 and int8 have 4 and 8 bits, not bytes: half a byte, and one.", ints_in_bytes=with_sizes(int8=8, int4=4)
)
most_exact.mistake("Your code never chooses int8. It has 8 bits: one byte.", int8_never=with_sizes(int8=2))
most_exact.mistake("Your code never chooses bf16. It has 16 bits: 2 bytes.", bf16_never=with_sizes(bf16=4))
most_exact.mistake("bf16 has 16 bits: 2 bytes. You give it one.", bf16_of_one=with_sizes(bf16=1))
most_exact.mistake("fp32 has 32 bits: 4 bytes. You give it 8.", fp32_of_eight=with_sizes(fp32=8))
most_exact.mistake("fp32 has 32 bits: 4 bytes. You give it 2.", fp32_of_two=with_sizes(fp32=2))
most_exact.mistake("fp32 has 32 bits: 4 bytes. You give it 3.", fp32_of_three=with_sizes(fp32=3))
most_exact.mistake(
    "Your code never chooses fp32. It is the most exact, with 4 bytes: begin with it.",
    fp32_never=without("fp32"),
)
most_exact.mistake(
    'Where nothing fits, return None itself, and not the text "None".', text_for_nothing=first(nothing="None")
)
most_exact.mistake("Where nothing fits, return None. You return False.", false_for_nothing=first(nothing=False))
most_exact.mistake("Where nothing fits, return None. You return an empty text.", empty_for_nothing=first(nothing=""))
most_exact.mistake("Where nothing fits, return None. You return fp32.", fp32_for_nothing=first(nothing="fp32"))
most_exact.mistake("Where nothing fits, return None. You return 0.", zero_for_nothing=first(nothing=0))
most_exact.mistake(
    "Where nothing fits, your code raises an error. Return None there.",
    raises_where_nothing_fits=lambda parameters, memory: next(
        name for name, size in SIZES.items() if size * parameters <= memory
    ),
)
most_exact.mistake(
    "You take the size that is nearest to the memory, even where it does not fit. The largest that fits is asked for, "
    "and None where none does.",
    nearest=lambda parameters, memory: min(SIZES, key=lambda name: abs(memory - parameters * SIZES[name])),
)
most_exact.mistake('Where nothing fits, return None. You return "none".', small_text_for_nothing=first(nothing="none"))
most_exact.mistake(
    "Where nothing fits, max() of nothing raises an error. Return None there.",
    max_of_nothing=lambda parameters, memory: max(
        (name for name, size in SIZES.items() if size * parameters <= memory), key=SIZES.get
    ),
)
most_exact.mistake(
    "Where nothing fits, the list of those that fit is empty and has no [0]. Return None there.",
    first_of_nothing=lambda parameters, memory: [name for name, size in SIZES.items() if size * parameters <= memory][
        0
    ],
)
most_exact.mistake(
    "Your comparison is the wrong way round: the weights must be smaller than the memory.",
    comparison_reversed=first(fits=lambda size, parameters, memory: size * parameters >= memory),
)
most_exact.mistake(
    "Your comparison is the wrong way round: the weights must not be larger than the memory.",
    comparison_reversed_strictly=first(fits=lambda size, parameters, memory: size * parameters > memory),
)
most_exact.mistake(
    "You ask for exactly as many bytes as there are. Fewer fit too: <=.",
    exactly_full=first(fits=lambda size, parameters, memory: size * parameters == memory),
)
most_exact.mistake(
    "You compare one weight with the memory. Multiply by the number of parameters.",
    one_weight=first(fits=lambda size, parameters, memory: size <= memory),
)
most_exact.mistake(
    "You compare the number of parameters with the memory. Multiply by the bytes of each.",
    size_missing=first(fits=lambda size, parameters, memory: parameters <= memory),
)
most_exact.mistake(
    "You divide the parameters by the size of each. Multiply.",
    divided_by_the_size=first(fits=lambda size, parameters, memory: parameters / size <= memory),
)
most_exact.mistake(
    "The one nearest to the memory is asked for, and it must fit: round() goes up too.",
    rounded_memory=first(fits=lambda size, parameters, memory: size <= round(memory / parameters)),
)
most_exact.mistake(
    "You try fp32 only. Go on: bf16, int8 and int4 are smaller. If there is a loop, is the `return None` inside?",
    fp32_only=lambda parameters, memory: "fp32" if 4 * parameters <= memory else None,
)
most_exact.mistake(
    "You return the last that fits, the least exact. Return as soon as one fits, or use `elif` after the first `if`.",
    last_that_fits_or_error=lambda parameters, memory: [
        name for name, size in SIZES.items() if size * parameters <= memory
    ][-1],
)
most_exact.mistake(
    "You return all that fit. Return the first of them, the most exact.",
    all_that_fit=lambda parameters, memory: [name for name, size in SIZES.items() if size * parameters <= memory],
)
most_exact.mistake(
    'You return the size. Return the name: "fp32", "bf16", "int8" or "int4".',
    size_not_name=lambda parameters, memory: SIZES.get(most_exact(parameters, memory)),
)
most_exact.mistake(
    'You return the bits. Return the name: "fp32", "bf16", "int8" or "int4".',
    bits_not_name=lambda parameters, memory: {"fp32": 32, "bf16": 16, "int8": 8, "int4": 4}.get(
        most_exact(parameters, memory)
    ),
)
most_exact.mistake(
    'The name is "bf16", and not "fp16".',
    fp16=lambda parameters, memory: {"bf16": "fp16"}.get(
        most_exact(parameters, memory), most_exact(parameters, memory)
    ),
)
most_exact.mistake(
    'Write the names in small letters: "fp32".',
    capitals=lambda parameters, memory: (most_exact(parameters, memory) or "").upper() or None,
)
for name in SIZES:
    most_exact.mistake(
        f"You always return {name!r}. Compare the bytes of the weights with the memory.",
        **{f"always_{name}": lambda parameters, memory, name=name: name},
    )


most_exact.hints(
    "How many bytes does one number take in each precision? The number in the name is its bits.",
    "fp32: 4 bytes, bf16: 2, int8: 1, int4: 0.5. Try them in this order.",
    "Return the first for which parameters * size <= memory, and None after the loop.",
)
