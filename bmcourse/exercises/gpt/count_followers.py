"""The exercise `count_followers` of lesson 12."""

from bmcourse.exercises.core import exercise


@exercise(
    prompt="A language model without a network. Count which characters follow, anywhere in `text`, the last `order` "
    "characters of `context`. Return {character: count}. If nothing follows them in the text, back off: try the last "
    "order - 1 characters, and so on; the last 0 characters are followed by every character of the text. A context "
    "shorter than `order` is taken whole."
)
def count_followers(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        ending = context[len(context) - length :]
        counts = {}
        for i in range(length, len(text)):
            if text[i - length : i] == ending:
                counts[text[i]] = counts.get(text[i], 0) + 1
        if counts:
            return counts
    return {}


@count_followers.run
def as_plain_dict(answer, *case):
    """The counts as a plain dict: a Counter is one too."""
    counts = answer(*case)
    return dict(sorted(counts.items())) if isinstance(counts, dict) else counts


@count_followers.judge
def count_by_hand(text, context, order):
    """Every place of the text, for every length of the ending, the longest first."""
    for length in sorted({min(n, len(context)) for n in range(order + 1)}, reverse=True):
        ending = list(context)[len(context) - length :]
        found = [text[i + length] for i in range(len(text) - length) if list(text[i : i + length]) == ending]
        if found:
            return {character: found.count(character) for character in sorted(set(found))}
    return {}


@count_followers.right
def count_with_counter(text, context, order):
    from collections import Counter

    for length in reversed(range(min(order, len(context)) + 1)):
        ending = context[-length:] if length else ""
        counts = Counter(text[i] for i in range(length, len(text)) if text[:i].endswith(ending))
        if counts:
            return counts
    return Counter()


@count_followers.right
def count_by_recursion(text, context, order):
    ending = context[max(0, len(context) - order) :] if order else ""
    counts = {}
    for start in range(len(text) - len(ending)):
        if text.startswith(ending, start):
            follower = text[start + len(ending)]
            counts[follower] = counts.get(follower, 0) + 1
    return counts if counts or not ending else count_by_recursion(text, ending, len(ending) - 1)


@count_followers.right
def count_with_find(text, context, order):
    length = min(order, len(context))
    while length > 0:
        ending, counts, start = context[-length:], {}, -1
        while (start := text.find(ending, start + 1)) >= 0:
            if start + length < len(text):
                counts[text[start + length]] = counts.get(text[start + length], 0) + 1
        if counts:
            return counts
        length -= 1
    return {character: text.count(character) for character in text}


def followers_of(text, ending):
    counts = {}
    for i in range(len(ending), len(text)):
        if text[i - len(ending) : i] == ending:
            counts[text[i]] = counts.get(text[i], 0) + 1
    return counts


def _ending(context, length):
    return context[len(context) - length :] if length else ""


@count_followers.mistake(
    "Where the whole ending was never seen you return nothing. Back off: drop its first character and count again."
)
def no_back_off(text, context, order):
    return followers_of(text, _ending(context, min(order, len(context))))


@count_followers.mistake(
    "You back off from the whole ending to no ending at all. Drop one character at a time: the last order - 1 "
    "still say a lot."
)
def straight_to_nothing(text, context, order):
    return no_back_off(text, context, order) or followers_of(text, "")


@count_followers.mistake(
    "You stop at one character. Where even the last one was never seen, every character of the text counts."
)
def not_to_nothing(text, context, order):
    for length in range(min(order, len(context)), 0, -1):
        if counts := followers_of(text, _ending(context, length)):
            return counts
    return {}


@count_followers.mistake(
    "For length 0 you take context[-0:], which is the whole context: -0 is 0. Write context[len(context) - length:]."
)
def minus_zero(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        if counts := followers_of(text, context[-length:]):  # context[-0:] is all of it
            return counts
    return {}


@count_followers.mistake(
    "You add up the counts of all lengths. Back-off takes the longest ending that was seen, and only that."
)
def add_all_orders(text, context, order):
    total = {}
    for length in range(min(order, len(context)), -1, -1):
        for character, count in followers_of(text, _ending(context, length)).items():
            total[character] = total.get(character, 0) + count
    return total


@count_followers.mistake("You begin with the shortest ending, and that is always found. Begin with the longest.")
def shortest_first(text, context, order):
    for length in range(min(order, len(context)) + 1):
        if counts := followers_of(text, _ending(context, length)):
            return counts
    return {}


@count_followers.mistake(
    "You go on behind the ending that was found, so endings that overlap are lost: in 'aaaa' the ending 'aa' "
    "is followed twice by 'a'. Go on by one character."
)
def without_overlaps(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        ending, counts, start = _ending(context, length), {}, 0
        while (start := text.find(ending, start)) >= 0 and start + length < len(text):
            counts[text[start + length]] = counts.get(text[start + length], 0) + 1
            start += max(1, length)
        if counts:
            return counts
    return {}


@count_followers.mistake(
    "You back off by dropping the last character, the nearest one, which says most. Drop the first."
)
def dropping_the_last(text, context, order):
    start = len(context) - min(order, len(context))
    for end in range(len(context), start - 1, -1):
        if counts := followers_of(text, context[start:end]):
            return counts
    return {}


@count_followers.cases
def cases():
    return [
        ("the cat the hat", "th", 2),
        ("the cat sat on the mat", "at", 2),
        ("the cat sat", "qat", 3),
        ("abababa", "xab", 3),
        ("aaaa", "aa", 2),
        ("abc", "zzz", 2),
        ("hello", "hello", 5),
        ("to be or not to be", "", 4),
        ("to be or not to be", "o", 3),
        ("to be or not to be", "or not to", 3),
        ("abcabd", "ab", 0),
    ]


count_followers.mistake(
    "You return probabilities. Asked for are the counts.",
    TODO_1=lambda text, context, order: (
        {c: n / sum(counts.values()) for c, n in counts.items()}
        if (counts := count_followers(text, context, order))
        else {}
    ),
)


count_followers.mistake(
    "You return which characters follow, but not how often.",
    TODO_2=lambda text, context, order: set(count_followers(text, context, order)),
)


count_followers.mistake(
    "You return the character that follows most often. Return all of them, with their counts.",
    TODO_3=lambda text, context, order: max(counts := count_followers(text, context, order), key=counts.get),
)


count_followers.mistake(
    "You take the first `order` characters of the context. What comes next depends on the last ones.",
    TODO_4=lambda text, context, order: count_followers(text, context[:order], order),
)


count_followers.hints(
    "Write the counting for one ending first. Then a loop over lengths: order, order - 1, ..., 0.",
    "The ending of some length is context[len(context) - length:]. It stands before place i when "
    "text[i - length : i] == ending.",
    "counts[text[i]] = counts.get(text[i], 0) + 1. Return as soon as counts is not empty.",
)
