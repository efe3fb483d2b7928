"""The exercise `diagnose` of lesson 06."""


from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

FAULTS = (
    "softmax twice",
    "same batch",
    "targets not shifted",
    "eval mode forgotten",
    "loss detached",
    "gradients not zeroed",
    "validation leaks",
    "learning rate too big",
)


LISTED = ", ".join(sorted(FAULTS))  # FAULTS has the patients' order: shown as it is, it would be the answer


# Why a fault does not fit the curves of a patient: what the student sees that speaks against it.
AGAINST = {
    "softmax twice": "softmax twice leaves the training loss stuck a little below its start, while the validation "
    "loss, which is computed rightly, shoots up",
    "same batch": "training on one batch again and again drives the training loss to zero little by little, while "
    "the validation loss first falls and then climbs",
    "targets not shifted": "a model that only has to copy its input gets there within some twenty steps, and the "
    "validation loss never gets better than guessing",
    "eval mode forgotten": "with dropout on during validation, measuring the same weights twice gives two numbers",
    "loss detached": "a detached loss changes no weight at all: both curves are flat and the gradient is zero",
    "gradients not zeroed": "gradients that pile up let the loss fall at first and then swing up and away, with a "
    "gradient far larger than the healthy one",
    "validation leaks": "validation on the training text gives two curves that fall together, further than a healthy "
    "run gets in so few steps",
    "learning rate too big": "a rate that is too big makes the loss explode in the very first steps and then stay "
    "too high",
}


@exercise(prompt="The fault of a patient, by its curves: 'A' to 'H' in, one of the eight faults out.")
def diagnose(patient):
    return {
        "A": "softmax twice",
        "B": "same batch",
        "C": "targets not shifted",
        "D": "eval mode forgotten",
        "E": "loss detached",
        "F": "gradients not zeroed",
        "G": "validation leaks",
        "H": "learning rate too big",
    }[patient]


@diagnose.run
def examine(answer, patient):
    """Whether a diagnosis is right, without telling the right one."""
    fault = answer(patient)
    if fault not in FAULTS:
        raise Mistake(f"Patient {patient}: {fault!r} is not on the list of faults. Choose one of: {LISTED}.")
    if fault != diagnose(patient):
        raise Mistake(f"Patient {patient} does not have {fault!r}: {AGAINST[fault]}. Look at its curves again.")
    return "right"


def _diagnosis(patient, fault):
    """All diagnoses right but one: the answer that takes `patient` for a case of `fault`."""
    return lambda letter: fault if letter == patient else diagnose(letter)


@diagnose.right
def with_if(patient):
    if patient == "A":
        return "softmax twice"
    return diagnose(patient)


@diagnose.right
def by_position(patient):
    return FAULTS["ABCDEFGH".index(patient)]


@diagnose.right
def by_match(patient):
    return dict(zip("ABCDEFGH", FAULTS, strict=True)).get(patient)


@diagnose.cases
def cases():
    return [(letter,) for letter in "ABCDEFGH"]


for number, patient in enumerate("ABCDEFGH"):
    for fault in (FAULTS[number - 1], FAULTS[number - 2]):
        diagnose.mistake(
            f"Patient {patient} does not have {fault!r}: {AGAINST[fault]}. Look at its curves again.",
            **{f"{patient} for {fault}": _diagnosis(patient, fault)},
        )


diagnose.mistake(
    f"Patient A: 'no idea' is not on the list of faults. Choose one of: {LISTED}.", TODO_14=_diagnosis("A", "no idea")
)


diagnose.hints(
    "Start with the easy ones: in which patient does no weight ever change?",
    "Where the training loss goes to zero, ask what the model could have learned by heart, or just copied.",
    "Under each curve stand two more findings: the same weights measured twice, and the norm of the last gradient.",
)
