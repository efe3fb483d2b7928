"""The exercise `count_followers` of lesson 15: a language model without a network, by counting."""

import re
from collections import Counter

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
        ("cab", "cb", 1),
        ("a.b\naxb. (c", "x.", 1),
        ("Ab ab\nAB a\n\nb", "b", 1),
        ("to be, or not to be: to see", "we do not", 4),
        ("xyxyz", "xyxy", 2),
        ("abcd bcx cy", "abc", 1),
    ]


@count_followers.run
def as_plain_dict(answer, *case):
    """The counts as a plain dict: a Counter is one too."""
    counts = answer(*case)
    return dict(sorted(counts.items())) if isinstance(counts, dict) else counts


@count_followers.judge
def by_hand(text, context, order):
    """Every place of the text, for every length of the ending, the longest first."""
    for length in sorted({min(n, len(context)) for n in range(order + 1)}, reverse=True):
        ending = list(context)[len(context) - length :]
        found = [text[i + length] for i in range(len(text) - length) if list(text[i : i + length]) == ending]
        if found:
            return {character: found.count(character) for character in sorted(set(found))}
    return {}


@count_followers.right
def with_counter(text, context, order):
    for length in reversed(range(min(order, len(context)) + 1)):
        ending = context[-length:] if length else ""
        counts = Counter(text[i] for i in range(length, len(text)) if text[:i].endswith(ending))
        if counts:
            return counts
    return Counter()


@count_followers.right
def by_recursion(text, context, order):
    ending = context[max(0, len(context) - order) :] if order else ""
    counts = {}
    for start in range(len(text) - len(ending)):
        if text.startswith(ending, start):
            follower = text[start + len(ending)]
            counts[follower] = counts.get(follower, 0) + 1
    return counts if counts or not ending else by_recursion(text, ending, len(ending) - 1)


@count_followers.right
def with_find(text, context, order):
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


@count_followers.right
def with_an_escaped_pattern(text, context, order):
    ending = context[len(context) - min(order, len(context)) :]
    while not (found := re.findall(f"(?<={re.escape(ending)})(.)", text, flags=re.DOTALL)) and ending:
        ending = ending[1:]
    return dict(Counter(found))


changed = count_followers.changed
MATCH = "text[i - length : i] == ending"
COUNT = "counts[text[i]] = counts.get(text[i], 0) + 1"
ENDING = "context[len(context) - length :]"
LENGTHS = "range(min(order, len(context)), -1, -1)"

# Backing off.
count_followers.mistake(
    "Where the whole ending was never seen you return nothing. Back off: drop its first character and count again.",
    no_back_off=changed("        if counts:\n            return counts", "        return counts"),
)
count_followers.mistake(
    "You back off from the whole ending to no ending at all. Drop one character at a time: the last order - 1 "
    "still say a lot.",
    straight_to_nothing=changed(LENGTHS, "(min(order, len(context)), 0)"),
)
count_followers.mistake(
    "You back off once only, to order - 1. Go on until something follows, down to 0.",
    once_only=changed(LENGTHS, "(min(order, len(context)), max(0, min(order, len(context)) - 1))"),
)
count_followers.mistake(
    "You stop at one character. Where even the last one was never seen, every character of the text counts.",
    not_to_nothing=changed("-1, -1)", "0, -1)"),
)
count_followers.mistake(
    "You back off only where the ending is not in the text at all. It may stand at the very end, where nothing follows "
    "it: back off as long as nothing was counted.",
    where_it_is_not_in_the_text=changed("if counts:", "if ending in text:"),
)
count_followers.mistake(
    "You begin with the shortest ending, and that is always found. Begin with the longest.",
    shortest_first=changed(LENGTHS, "range(min(order, len(context)) + 1)"),
)
count_followers.mistake(
    "You back off by two characters at a time. Drop one: order, order - 1, ..., 0.",
    two_at_a_time=changed(LENGTHS, "[*range(min(order, len(context)), 0, -2), 0]"),
)
count_followers.mistake(
    "You begin with order - 1 characters: range ends before its end, but it begins at its start. Begin with order.",
    one_shorter=changed("min(order, len(context))", "max(0, min(order, len(context)) - 1)"),
)
count_followers.mistake(
    "You begin with order + 1 characters. Begin with order.",
    one_longer=changed("min(order, len(context))", "min(order + 1, len(context))"),
)
count_followers.mistake(
    "You begin with the whole context, whatever `order` is. Take its last `order` characters.",
    order_not_used=changed("min(order, len(context))", "len(context)"),
)
count_followers.mistake(
    "You add up the counts of all lengths. Back-off takes the longest ending that was seen, and only that.",
    all_lengths_added=changed(
        "for length",
        "counts = {}\n    for length",
        "        counts = {}\n",
        "",
        "        if counts:\n            return counts\n    return {}",
        "    return counts",
    ),
)
count_followers.mistake(
    "You back off until one length has counted at least two. Take the longest ending that is followed by anything.",
    at_least_two=changed("if counts:", "if sum(counts.values()) > 1 or not length:"),
)
count_followers.mistake(
    "Where nothing follows you count each character of the text once. The last 0 characters are followed by every "
    "character, as often as it stands there.",
    once_each_at_order_zero=changed("+ 1", "+ 1 if length else 1"),
)

# The ending.
count_followers.mistake(
    "For length 0 you take context[-0:], which is the whole context: -0 is 0. Write context[len(context) - length:].",
    minus_zero=changed(ENDING, "context[-length:]"),
)
count_followers.mistake(
    "You take the first `order` characters of the context. What comes next depends on the last ones.",
    first_ones=changed("    for length", "    context = context[:order]\n    for length"),
)
count_followers.mistake(
    "You back off by dropping the last character, the nearest one, which says most. Drop the first.",
    last_dropped=changed(ENDING, "context[max(0, len(context) - order) :][:length]"),
)
count_followers.mistake(
    "A context shorter than `order` is padded with blanks, and those are characters too. Take it whole.",
    padded=changed("    for length", "    context = context.rjust(order)\n    for length"),
)
count_followers.mistake(
    "A context shorter than `order` gets no ending at all. Take it whole: min(order, len(context)).",
    short_context_ignored=changed("min(order, len(context))", "(order if order <= len(context) else 0)"),
)
count_followers.mistake(
    "You look for any of the ending's characters. The whole ending must stand before the character.",
    any_of_its_characters=changed(MATCH, "(not length or text[i - 1] in ending)"),
)
count_followers.mistake(
    "You compare the last character only. The whole ending must stand before the character.",
    last_character_only=changed(MATCH, "(not length or text[i - 1] == ending[-1])"),
)
count_followers.mistake(
    "The ending is turned round: its characters are compared from the last to the first.",
    turned_round=changed(MATCH, "text[i - length : i] == ending[::-1]"),
)
count_followers.mistake(
    "You make everything small letters first. A and a are two characters.",
    lower_case=changed("    for length", "    text, context = text.lower(), context.lower()\n    for length"),
)
count_followers.mistake(
    "You leave out blanks, or cut them off at both ends of the context or text. A blank is a character too.",
    blanks_left_out=changed(COUNT, "counts[text[i]] = counts.get(text[i], 0) + 1\n        counts.pop(' ', None)"),
)
count_followers.mistake(
    "Your pattern lacks re.DOTALL, so '.' does not match the end of a line: '\\n' is a character too.",
    no_dotall=changed(MATCH, f"{MATCH} and text[i] != '\\n'"),
)


@count_followers.mistake(
    "Characters such as . and ( mean something else in a regular expression: an ending of '.' matches everything. Use "
    "re.escape, or compare slices of the text."
)
def not_escaped(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        found = re.findall(f"(?<={context[len(context) - length :]})(.)", text, flags=re.DOTALL)
        if found:
            return dict(Counter(found))
    return {}


@count_followers.mistake(
    "In your regular expression '.' and the like mean something else, and '.' does not match the end of a line. Use "
    "re.escape and re.DOTALL, or compare slices of the text."
)
def neither_escaped_nor_dotall(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        found = re.findall(f"(?<={context[len(context) - length :]})(.)", text)
        if found:
            return dict(Counter(found))
    return {}


# Counting.
@count_followers.mistake(
    "You go on behind the ending that was found, so endings that overlap are lost: in 'aaaa' the ending 'aa' "
    "is followed twice by 'a'. Go on by one character."
)
def without_overlaps(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        ending, counts, start = context[len(context) - length :], {}, 0
        while (start := text.find(ending, start)) >= 0 and start + length < len(text):
            counts[text[start + length]] = counts.get(text[start + length], 0) + 1
            start += max(1, length)
        if counts:
            return counts
    return {}


@count_followers.mistake(
    "A regular expression with the ending in it, not before it, goes on behind what it has found: endings that overlap "
    "are lost. In 'aaaa' the ending 'aa' is followed twice by 'a'."
)
def pattern_without_overlaps(text, context, order):
    for length in range(min(order, len(context)), -1, -1):
        found = re.findall(re.escape(context[len(context) - length :]) + "(.)", text, flags=re.DOTALL)
        if found:
            return dict(Counter(found))
    return {}


count_followers.mistake(
    "You count the characters *before* the ending. Count those after it.",
    before_the_ending=changed("range(length, ", "range(", "text[i - length : i]", "text[i + 1 : i + 1 + length]"),
)
count_followers.mistake(
    "You count the characters *before* the ending, text[-1] before the first of all. Count those after it.",
    before_the_ending_and_round=changed(
        "range(length, len(text))", "range(-1, len(text) - 1)", "text[i - length : i]", "text[i + 1 : i + 1 + length]"
    ),
)
count_followers.mistake(
    "You count the last character of the ending itself. Count the one after it.",
    last_of_the_ending=changed(COUNT, "counts[text[i - 1]] = counts.get(text[i - 1], 0) + 1"),
)
count_followers.mistake(
    "You count the second character after the ending. Count the one just after it.",
    one_too_far=changed("len(text))", "len(text) - 1)", COUNT, "counts[text[i + 1]] = counts.get(text[i + 1], 0) + 1"),
)
count_followers.mistake(
    "Your loop ends one place too early: the last character of the text follows something too.",
    last_place_lost=changed("len(text))", "len(text) - 1)"),
)
count_followers.mistake(
    "Your loop begins one place too late: the ending may stand at the very beginning of the text.",
    first_place_lost=changed("range(length,", "range(length + 1,"),
)
count_followers.mistake(
    "At order 0 the first character of the text is left out. The last 0 characters are followed by every one.",
    first_lost_at_order_zero=changed("range(length,", "range(max(1, length),"),
)
count_followers.mistake(
    "You count the end of the text as an empty character ''. Where nothing follows, nothing counts.",
    end_counted=changed(
        "len(text))", "len(text) + 1)", COUNT, "counts[text[i : i + 1]] = counts.get(text[i : i + 1], 0) + 1"
    ),
)
count_followers.mistake(
    "You look at the first place only where the ending stands. Count over all of them.",
    first_place_only=changed("if text[", "if not counts and text["),
)
count_followers.mistake(
    "You look at the last place only where the ending stands. Count over all of them.",
    last_place_only=changed(COUNT, "counts = {text[i]: 1}"),
)
count_followers.mistake(
    "Your counts are all 1: a character that was seen before is set to 1 again. Add 1.",
    all_ones=changed("counts.get(text[i], 0) + 1", "1"),
)
count_followers.mistake(
    "Your counts begin at 0, so each is one too small. counts.get(character, 0) + 1 makes 1 of the first.",
    one_too_small=changed("counts.get(text[i], 0) + 1", "counts.get(text[i], -1) + 1"),
)
count_followers.mistake(
    "You count how often the followers stand in the whole text. Count them behind the ending only.",
    counted_in_the_whole_text=changed("counts.get(text[i], 0) + 1", "text.count(text[i])"),
)
count_followers.mistake(
    "You count behind the ending in the context too. Only the text counts.",
    context_counted_too=changed("    for length", "    text = text + context\n    for length"),
)

# What is returned.
count_followers.mistake(
    "Your keys are the ending with the character behind it. The key is the character alone.",
    ending_in_the_keys=changed(COUNT, "counts[ending + text[i]] = counts.get(ending + text[i], 0) + 1"),
)
count_followers.mistake(
    "You return probabilities. Asked for are the counts.",
    probabilities=changed("return counts", "return {c: n / sum(counts.values()) for c, n in counts.items()}"),
)
count_followers.mistake(
    "You return which characters follow, but not how often.",
    characters_only=changed("return counts", "return set(counts)"),
)
count_followers.mistake(
    "You return the list of followers. Count them: {character: count}.",
    list_of_followers=changed("return counts", "return [c for c, n in counts.items() for _ in range(n)]"),
)
count_followers.mistake(
    "You return the character that follows most often. Return all of them, with their counts.",
    most_frequent=changed("return counts", "return max(counts, key=counts.get)"),
)
count_followers.mistake(
    "You keep only the character that follows most often. Return all of them, with their counts.",
    most_frequent_counted=changed("return counts", "return dict([max(counts.items(), key=lambda pair: pair[1])])"),
)
count_followers.mistake(
    "You return how many followers there are. Return each with its count.",
    how_many=changed("return counts", "return sum(counts.values())"),
)
count_followers.mistake(
    "You return pairs in a list. Return a dict, {character: count}.",
    pairs=changed("return counts", "return Counter(counts).most_common()"),
)
count_followers.mistake(
    "You return the ending with its counts. Return {character: count}.",
    with_the_ending=changed("return counts", "return {ending: counts}"),
)


@count_followers.mistake(
    "For order 0 you take context[-0:], which is the whole context: -0 is 0. Write context[len(context) - order:], "
    "with an order of no more than len(context)."
)
def minus_zero_at_order_zero(text, context, order):
    return count_followers(text, context, order or len(context))


@count_followers.mistake(
    "text.split(ending) goes on behind what it has found: endings that overlap are lost, and so is what follows the "
    "ending in 'aaaa'. Go through the text place by place."
)
def by_split(text, context, order):
    for length in range(min(order, len(context)), 0, -1):
        found = Counter(part[0] for part in text.split(context[-length:])[1:] if part)
        if found:
            return dict(found)
    return dict(Counter(text))


count_followers.mistake(
    "Your loop over the places ends one too early, but for order 0: the last character of the text follows something "
    "too. range(len(text) - length).",
    last_place_lost_above_order_zero=changed("len(text))", "len(text) - (length > 0))"),
)


count_followers.hints(
    "Write the counting for one ending first. Then a loop over lengths: order, order - 1, ..., 0.",
    "The ending of some length is context[len(context) - length:]. It stands before place i when "
    "text[i - length : i] == ending.",
    "counts[text[i]] = counts.get(text[i], 0) + 1. Return as soon as counts is not empty.",
)
