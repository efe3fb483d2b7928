"""The exercise `which_word`: which of the four words of the lesson a thing or a doing belongs to."""

from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

WORDS = ("model", "training", "inference", "interpretability")
EXCHANGED = (
    "Return a dictionary from each key to its word. Yours leads from the words to the keys: write "
    '{"download": "model", ...}, and not {"model": "download", ...}.'
)


@exercise(prompt="A dictionary with one of the four words for each.")
def which_word():
    """A word for each: "model", "training", "inference" or "interpretability".

    "download"   a file of 350 GB with 175 billion numbers in it
    "recipe"     how many layers and channels, and in which order they compute
    "falling"    the loss goes down from 4.6 to 1.8
    "gradients"  every weight moves a little, to where the error is smaller
    "chat"       a question goes in, an answer comes out word by word; no weight moves
    "photo"      your phone says what is in a picture that nobody ever showed it
    "pixels"     which parts of the picture made it say "seven"
    "doctor"     the reason why it thinks that this patient is ill
    """
    return {
        "download": "model",
        "recipe": "model",
        "falling": "training",
        "gradients": "training",
        "chat": "inference",
        "photo": "inference",
        "pixels": "interpretability",
        "doctor": "interpretability",
    }


@which_word.cases
def cases():
    return [()]


# What speaks against a word, by the word that is right.
OBJECTIONS = {
    ("model", "training"): "nothing is learned here; this is what is there before and after it learns",
    ("model", "inference"): "no question is asked and nothing is answered",
    ("model", "interpretability"): "nobody asks why; this is the thing that one could ask about",
    ("training", "model"): "this is something that is done, over many steps, and no thing that you can copy",
    ("training", "inference"): "the weights change here; an answer leaves them as they are",
    ("training", "interpretability"): "it gets better, but nobody learns why it says what it says",
    ("inference", "model"): "this is something that is done with it, each time it is asked",
    ("inference", "training"): "no weight moves, so nothing is learned",
    ("inference", "interpretability"): "you get the answer, and no reason for it",
    ("interpretability", "model"): "this is a question about it, and no part of it",
    ("interpretability", "training"): "no weight moves: you look at what was learned",
    ("interpretability", "inference"): "the answer is there already; you ask where it comes from",
}


@which_word.run
def look_up_words(answer):
    """Whether the words are right, without telling which ones are."""
    words = answer()
    if words is None:
        return None
    if not isinstance(words, dict):
        raise Mistake(f"Return a dictionary with a word for each. What came is a {type(words).__name__}.")
    if words and set(words) <= set(WORDS):
        raise Mistake(EXCHANGED)
    for key, right in which_word().items():
        if key not in words:
            raise Mistake(no_word(key))
        if words[key] not in WORDS:
            raise Mistake(no_such_word(key, words[key]))
        if words[key] != right:
            raise Mistake(objection(key, words[key]))
    return "right"


def objection(key, word):
    return f"{key!r} is not {word}: {OBJECTIONS[which_word()[key], word]}."


def no_word(key):
    return f"There is no word for {key!r} in your dictionary."


def no_such_word(key, word):
    return f"{word!r}, your word for {key!r}, is none of the four: {', '.join(WORDS)}."


def with_word(key, word):
    return lambda: which_word() | {key: word}


@which_word.right
def by_pairs():
    keys = iter(which_word())
    return {key: word for word in WORDS for key in (next(keys), next(keys))}


@which_word.right
def by_groups():
    groups = {"model": "download recipe", "training": "falling gradients", "inference": "chat photo"}
    found = {key: word for word, keys in groups.items() for key in keys.split()}
    return found | dict.fromkeys(["pixels", "doctor"], "interpretability")


@which_word.right
def by_assignment():
    words = dict.fromkeys(which_word(), "model")
    words["falling"] = words["gradients"] = "training"
    words["chat"] = words["photo"] = "inference"
    words["pixels"] = words["doctor"] = "interpretability"
    return words


for key, right in which_word().items():
    for word in WORDS:
        if word != right:
            which_word.mistake(objection(key, word), **{f"{word}_for_{key}": with_word(key, word)})


which_word.mistake(no_such_word("chat", "answering"), a_word_of_its_own=with_word("chat", "answering"))
which_word.mistake(no_such_word("recipe", "architecture"), architecture_for_recipe=with_word("recipe", "architecture"))
which_word.mistake(no_such_word("pixels", "explainability"), explainability=with_word("pixels", "explainability"))
which_word.mistake(no_such_word("falling", "learning"), learning=with_word("falling", "learning"))
which_word.mistake(no_such_word("download", ""), left_empty=lambda: dict.fromkeys(which_word(), ""))
which_word.mistake(no_such_word("download", "..."), left_with_dots=lambda: dict.fromkeys(which_word(), "..."))
which_word.mistake(no_such_word("download", None), left_as_none=lambda: dict.fromkeys(which_word()))
which_word.mistake(
    no_such_word("download", "Model"), with_capitals=lambda: {key: word.title() for key, word in which_word().items()}
)
which_word.mistake(no_word("download"), empty_dictionary=dict)
which_word.mistake(no_word("recipe"), one_word_only=lambda: {"download": "model"})
which_word.mistake(no_word("doctor"), last_one_forgotten=lambda: dict(list(which_word().items())[:-1]))
which_word.mistake(
    "Return a dictionary with a word for each. What came is a list.", list_of_words=lambda: list(which_word().values())
)
which_word.mistake(
    "Return a dictionary with a word for each. What came is a tuple.", tuple_of_words=lambda: (*which_word().values(),)
)
which_word.mistake(
    "Return a dictionary with a word for each. What came is a set.", set_of_words=lambda: {*which_word().values()}
)
which_word.mistake("Return a dictionary with a word for each. What came is a str.", one_text=lambda: "model")
which_word.mistake(
    EXCHANGED,
    keys_and_words_exchanged=lambda: {word: key for key, word in which_word().items()},
)


which_word.hints(
    "Is it a thing (you can store it), or something that is done?",
    "Do the weights change? Then it is training. Do they stay, and an answer comes out? Then it is inference.",
    "Who asks for the reason of an answer, asks for interpretability.",
)
