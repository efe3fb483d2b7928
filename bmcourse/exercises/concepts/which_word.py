"""The exercise `which_word` of lesson 01."""


from bmcourse.exercises.core import exercise
from bmcourse.exercises.outcomes import Mistake

WORDS = ("model", "training", "inference", "interpretability")


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
    if not isinstance(words, dict):
        raise Mistake(f"Return a dictionary with a word for each. What came is a {type(words).__name__}.")
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
def words_by_pairs():
    keys = iter(which_word())
    return {key: word for word in WORDS for key in (next(keys), next(keys))}


@which_word.right
def words_by_groups():
    groups = {"model": "download recipe", "training": "falling gradients", "inference": "chat photo"}
    found = {key: word for word, keys in groups.items() for key in keys.split()}
    return found | dict.fromkeys(["pixels", "doctor"], "interpretability")


@which_word.right
def words_by_assignment():
    words = dict.fromkeys(which_word(), "model")
    words["falling"] = words["gradients"] = "training"
    words["chat"] = words["photo"] = "inference"
    words["pixels"] = words["doctor"] = "interpretability"
    return words


@which_word.cases
def cases():
    return [()]


for key, right in which_word().items():
    for word in WORDS:
        if word != right:
            which_word.mistake(objection(key, word), **{f"{word} for {key}": with_word(key, word)})


which_word.mistake(no_such_word("chat", "answering"), TODO_67=with_word("chat", "answering"))


which_word.mistake(no_word("recipe"), TODO_68=lambda: {"download": "model"})


which_word.mistake(
    "Return a dictionary with a word for each. What came is a list.", TODO_69=lambda: list(which_word().values())
)


which_word.hints(
    "Is it a thing (you can store it), or something that is done?",
    "Do the weights change? Then it is training. Do they stay, and an answer comes out? Then it is inference.",
    "Who asks for the reason of an answer, asks for interpretability.",
)
