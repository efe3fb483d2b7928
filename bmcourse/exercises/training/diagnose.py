"""The exercise `diagnose`: which fault each of eight training loops has, by its curves."""

import difflib

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

RIGHT = {
    "A": "softmax twice",
    "B": "same batch",
    "C": "targets not shifted",
    "D": "eval mode forgotten",
    "E": "loss detached",
    "F": "gradients not zeroed",
    "G": "validation leaks",
    "H": "learning rate too big",
}

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
    "validation leaks": "validation on the training text gives two curves that fall together to the end, where a "
    "healthy run on so little text shows a gap between them",
    "learning rate too big": "a rate that is too big makes the loss explode in the very first steps and then stay "
    "too high",
}
LISTED = ", ".join(sorted(AGAINST))  # not in the order of the patients, which would be the answer


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


@diagnose.cases
def cases():
    return [()]


@diagnose.run
def examine(answer):
    """Whether all diagnoses are right, without telling a right one that is not given."""
    diagnoses = {}
    for patient in RIGHT:
        try:
            diagnoses[patient] = answer(patient)
        except KeyError:
            diagnoses[patient] = None
    if told := _told(diagnoses):
        raise Mistake(told)
    return "right"


def _told(diagnoses):
    """What is right so far, and what speaks against the first wrong diagnosis; "" where all are right."""
    right = [patient for patient, fault in diagnoses.items() if fault == RIGHT[patient]]
    wrong = [patient for patient, fault in diagnoses.items() if patient not in right and fault is not None]
    missing = [patient for patient, fault in diagnoses.items() if fault is None]
    if len(missing) == len(RIGHT):
        return (
            "No patient gets a diagnosis: your function gives back None, or has no entry for 'A' to 'H'. Is the "
            "`return` missing, or the [patient] behind the dictionary?"
        )
    credit = f"Right for {len(right)} of {len(RIGHT)} patients so far: {', '.join(right)}. " if right else ""
    if wrong:
        return credit + _objection(wrong[0], diagnoses[wrong[0]])
    return f"{credit}Still without a diagnosis: {', '.join(missing)}." if missing else ""


def _objection(patient, fault):
    if isinstance(fault, dict):
        return "You return the whole dictionary. Return the entry of the patient: {...}[patient]."
    if not isinstance(fault, str):
        return f"Patient {patient}: return the fault as text, one of: {LISTED}."
    if fault not in AGAINST:
        near = difflib.get_close_matches(fault.lower(), AGAINST, n=1)
        advice = f"Did you mean {near[0]!r}? The spelling counts" if near else f"Choose one of: {LISTED}"
        return f"Patient {patient}: {fault!r} is not on the list of faults. {advice}."
    return f"Patient {patient} does not have {fault!r}: {AGAINST[fault]}. Look at its curves again."


@diagnose.right
def with_if(patient):
    if patient == "A":
        return "softmax twice"
    return diagnose(patient)


@diagnose.right
def by_position(patient):
    return list(RIGHT.values())["ABCDEFGH".index(patient)]


@diagnose.right
def by_get(patient):
    return RIGHT.get(patient)


@diagnose.right
def by_match(patient):
    match patient:
        case "C":
            return "targets not shifted"
        case "G":
            return "validation leaks"
    return diagnose(patient)


def known(name, **diagnoses):
    """All diagnoses right but these."""
    given = {**RIGHT, **diagnoses}
    diagnose.mistake(_told(given), **{name: given.get})


for patient, right in RIGHT.items():
    for fault in AGAINST:
        if fault != right:
            known(f"{patient} for {fault}", **{patient: fault})
    known(f"{patient} missing", **{patient: None})
known("only the first three", **dict.fromkeys("DEFGH"))
known("only the last", **dict.fromkeys("ABCDEFG"))
known("nothing", **dict.fromkeys("ABCDEFGH"))
known("not on the list", A="no idea")
known("capital letters", E="Loss detached")
known("two faults at once", F=["gradients not zeroed", "learning rate too big"])
known("one fault for all", **dict.fromkeys("ABCDEFGH", "same batch"))
known("the whole dictionary", **dict.fromkeys("ABCDEFGH", RIGHT))


diagnose.hints(
    "Start with the easy ones: in which patient does no weight ever change?",
    "Where the training loss goes to zero, ask what the model could have learned by heart, or just copied.",
    "Under each curve stand two more findings: the same weights measured twice, and the norm of the last gradient.",
)
