"""Text to numbers and back, simplest first: one token a character, one token a word, then byte-pair encoding (BPE).

Byte-pair encoding begins with bytes and merges, again and again, the two neighbours that occur together most often.
It is here twice: naive, as one would write it down, and as `BytePairTokenizer`, which gives the same tokens hundreds of
times faster.

Sources: P. Gage, "A New Algorithm for Data Compression", C Users Journal 12(2), 1994; R. Sennrich, B. Haddow and
A. Birch, "Neural Machine Translation of Rare Words with Subword Units", ACL 2016, section 3.2; A. Radford et al.,
"Language Models are Unsupervised Multitask Learners", 2019, section 2.2 (GPT-2: begin with bytes, never merge words).
"""

import heapq
import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

MOST_KNOWN_WORDS = 100_000  # of which a tokenizer keeps the tokens


class CharacterTokenizer:
    """Every different character of a text becomes one token; token 0 stands for characters that text does not have.

    >>> tokenizer = CharacterTokenizer("hello")
    >>> tokenizer.encode("hole")
    [2, 4, 3, 1]
    >>> tokenizer.decode([2, 4, 3, 1])
    'hole'
    """

    UNKNOWN = "\ufffd"  # what Unicode itself shows for a character that could not be read

    def __init__(self, text):
        if not text:
            raise ValueError("A character tokenizer learns its characters from a text; the text that came is empty.")
        self.characters = [self.UNKNOWN, *sorted(set(text) - {self.UNKNOWN})]
        self._ids = {character: i for i, character in enumerate(self.characters)}

    @property
    def vocabulary_size(self):
        return len(self.characters)

    def encode(self, text, errors="strict"):
        """The token of every character, as a list of ints.

        A character the tokenizer has not seen raises a ValueError that names it; with `errors="replace"` it becomes
        token 0, as in `str.encode`.
        """
        if errors == "replace":
            return [self._ids.get(character, 0) for character in text]
        unseen = sorted(set(text) - set(self._ids))
        if unseen:
            raise ValueError(
                f"The tokenizer has never seen {' '.join(map(repr, unseen[:5]))}: the text it was built "
                f"from has no such character. Leave it out, or encode with errors='replace'."
            )
        return [self._ids[character] for character in text]

    def decode(self, ids):
        """The text of a list or a 1-D tensor of tokens. Raises ValueError for a token outside the vocabulary."""
        ids = [int(i) for i in ids]
        outside = [i for i in ids if not 0 <= i < len(self.characters)]
        if outside:
            raise ValueError(
                f"Token {outside[0]} is outside the vocabulary, which runs from 0 to "
                f"{len(self.characters) - 1}. Decode with the tokenizer the text was encoded with."
            )
        return "".join(self.characters[i] for i in ids)


class WordTokenizer:
    """Every different word or punctuation mark of a text becomes one token; token 0 stands for every other word.

    >>> tokenizer = WordTokenizer("to be, or not to be")
    >>> tokenizer.encode("to be or to  sleep")
    [5, 2, 4, 5, 0]
    >>> tokenizer.decode([5, 2, 4, 5, 0])
    'to be or to <unknown>'
    """

    UNKNOWN = "<unknown>"
    WORD = re.compile(r"\w+|[^\w\s]")

    def __init__(self, text):
        words = set(self.WORD.findall(text))
        if not words:
            raise ValueError(f"A word tokenizer learns its words from a text; there are none in {text[:20]!r}.")
        self.words = [self.UNKNOWN, *sorted(words)]
        self._ids = {word: i for i, word in enumerate(self.words)}

    @property
    def vocabulary_size(self):
        return len(self.words)

    def encode(self, text):
        """The token of every word, as a list of ints. Words that were never seen and all white space are lost."""
        return [self._ids.get(word, 0) for word in self.WORD.findall(text)]

    def decode(self, ids):
        """The words with a space between each two. Raises ValueError for a token outside the vocabulary."""
        return " ".join(self.words[i] for i in _inside(ids, len(self.words)))


def _inside(ids, size):
    """`ids`, a list or a 1-D tensor, as a list of ints. Raises ValueError for one outside a vocabulary of `size`."""
    ids = [int(i) for i in ids]
    for place, i in enumerate(ids):
        if not 0 <= i < size:
            raise ValueError(
                f"Token {i} (at place {place}) is outside the vocabulary, which runs from 0 to {size - 1}. "
                f"Decode with the tokenizer the text was encoded with."
            )
    return ids


# GPT-2's pattern with its classes written out. GPT-2 says \p{L} for a letter: `re` does not know that, and which
# characters it means depends on an engine's version of Unicode, so two engines may cut one text differently. Here every
# engine cuts every text at the same places. Letters are ASCII's, and beyond ASCII all blocks but those of punctuation,
# symbols and emoji. So the marks that combine with a letter stay with it, as Hindi and Thai need; GPT-2 cuts them off.
LETTERS = (
    "A-Za-z\u00c0-\u1fff\u2c00-\u2fff\u3005-\u3007\u3040-\ufdff\ufe70-\ufefc\uff66-\uffdc"
    "\U00010000-\U0001efff\U0001fb00-\U0010ffff"
)
SPACE = "\t-\r "  # tab, line feed, vertical tab, form feed, carriage return, and space
PATTERN = (
    "'(?:[sdmt]|ll|ve|re)"  # the end of "it's" or "we'll"
    f"| ?[{LETTERS}]+"
    "| ?[0-9]+"
    f"| ?[^{SPACE}{LETTERS}0-9]+"  # punctuation, symbols, emoji, control characters
    f"|[{SPACE}]+(?![^{SPACE}])|[{SPACE}]+"  # leaves the last space to the word behind it
)
_WORD = re.compile(PATTERN)


def split_words(text):
    """Cut a text into words, spaces in front of them included; joined again they are the text. No merge crosses a cut.

    >>> split_words("It's 10  o'clock!")
    ['It', "'s", ' 10', ' ', ' o', "'", 'clock', '!']
    """
    return _WORD.findall(text)


def count_pairs(words):
    """How often each pair of neighbours occurs in `words`, lists of tokens.

    >>> count_pairs([[1, 2, 3], [1, 2]])
    Counter({(1, 2): 2, (2, 3): 1})
    """
    return Counter(pair for ids in words for pair in pairwise(ids))


def merge(ids, pair, new):
    """`ids` with the token `new` wherever the two tokens of `pair` stood side by side, taken from the left.

    >>> merge([1, 1, 1, 2], (1, 1), 256)
    [256, 1, 2]
    """
    first, second = pair
    merged = []
    for token in ids:
        if token == second and merged and merged[-1] == first:
            merged[-1] = new
        else:
            merged.append(token)
    return merged


def train_bpe_naive(text, merges):
    """The first `merges` merges for a text: pairs of tokens, of which the i-th becomes token 256 + i. Slow.

    Of pairs that are equally frequent the smaller one is merged. There are fewer merges when no pair is left.
    """
    words = [list(word.encode()) for word in split_words(text)]
    learned = []
    while len(learned) < merges and (counts := count_pairs(words)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [merge(ids, best, 256 + len(learned)) for ids in words]
        learned.append(best)
    return learned


def encode_bpe_naive(text, merges):
    """The tokens of a text: every merge over the whole text, in the order in which they were learned. Slow."""
    words = [list(word.encode()) for word in split_words(text)]
    for new, pair in enumerate(merges, 256):
        words = [merge(ids, pair, new) for ids in words]
    return [token for ids in words for token in ids]


def train_bpe(word_counts, merges):
    """The merges of `train_bpe_naive`, learned fast, from the words of a text and how often each occurs.

    Three ideas. A word that occurs a thousand times is worked on once. An index says which words a pair is in, so a
    merge touches no other word. And a heap has the most frequent pair on top; when a count changes its old entry stays
    there, and is skipped when it comes up.
    """
    words = [list(word.encode()) for word in word_counts]
    times = list(word_counts.values())
    counts, places = _index_pairs(words, times)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    learned = []
    while heap and len(learned) < merges:
        count, pair = heapq.heappop(heap)
        if -count == counts[pair]:
            changed = _merge_everywhere(pair, 256 + len(learned), words, times, counts, places)
            for other in changed:
                heapq.heappush(heap, (-counts[other], other))
            learned.append(pair)
    return learned


def _index_pairs(words, times):
    """How often each pair occurs in the text, and the numbers of the words that it is in."""
    counts, places = defaultdict(int), defaultdict(set)
    for number, ids in enumerate(words):
        for pair in pairwise(ids):
            counts[pair] += times[number]
            places[pair].add(number)
    return counts, places


def _merge_everywhere(pair, new, words, times, counts, places):
    """Merge `pair` in all its words and bring the counts and places up to date; the pairs left whose counts changed."""
    changed = set()
    for number in places.pop(pair):
        words[number] = merge(words[number], pair, new)
        for other, change in _changes(words[number], pair, new):
            counts[other] += change * times[number]
            changed.add(other)
            if change > 0:
                places[other].add(number)
    counts[pair] = 0
    return [other for other in changed if counts[other]]


def _changes(merged, pair, new):
    """What became of the neighbours of each `new` in a word: pairs that exist now (+1) and pairs that are gone (-1)."""
    first, second = pair
    for i, token in enumerate(merged):
        if token == new:
            if i > 0:
                left = merged[i - 1]
                yield (left, new), 1
                yield (second if left == new else left, first), -1
            if i + 1 < len(merged) and merged[i + 1] != new:
                yield (new, merged[i + 1]), 1
                yield (second, merged[i + 1]), -1


def _merge_word(word, merged):
    """The tokens of one word, given as bytes: of the merges that can be made, always the one that was learned first.

    `merged` is {pair: its token}. A heap has the first merge on top. Each token is linked to the ones before and after
    it, so that a merge moves no other token: a long word takes little more time a byte than a short one.
    """
    ids = [*word, None]  # the None is what stands before the first token, as ids[-1], and after the last
    before, after = list(range(-1, len(word))), list(range(1, len(word) + 2))
    heap = [(merged[pair], i, i + 1) for i, pair in enumerate(pairwise(word)) if pair in merged]
    heapq.heapify(heap)
    while heap:
        new, i, j = heapq.heappop(heap)
        if merged.get((ids[i], ids[j])) == new:  # or else one of the two has gone into another merge
            ids[i], ids[j] = new, None
            after[i] = after[j]
            before[after[i]] = i
            for left, right in ((before[i], i), (i, after[i])):
                pair = ids[left], ids[right]
                if pair in merged:
                    heapq.heappush(heap, (merged[pair], left, right))
    return [token for token in ids if token is not None]


class BytePairTokenizer:
    """Byte-pair encoding: tokens 0 to 255 are the bytes of UTF-8, then one for every merge, then the special tokens.

    Any text can be encoded, and comes back unchanged. `merges` are pairs of tokens in the order they were learned in,
    `tokens` the bytes of every token, `special_tokens` {text: token}.

    >>> tokenizer = BytePairTokenizer.train("low lower lowest", 259, special_tokens=["<|end|>"])
    >>> tokenizer.merges, tokenizer.tokens[256:]
    ([(108, 111), (256, 119)], [b'lo', b'low', b'<|end|>'])
    >>> tokenizer.encode("lowly")
    [257, 108, 121]

    The first merges are a tokenizer too, so you can watch a text shrink merge by merge:

    >>> [len(BytePairTokenizer(tokenizer.merges[:count]).encode("low low")) for count in range(3)]
    [7, 5, 3]
    """

    def __init__(self, merges=(), special_tokens=()):
        self.merges = [tuple(pair) for pair in merges]
        self._merged = {pair: new for new, pair in enumerate(self.merges, 256)}
        self.tokens = _bytes_of_tokens(self.merges)
        _check_special(special_tokens, self.tokens)
        self.special_tokens = {special: i for i, special in enumerate(special_tokens, len(self.tokens))}
        self.tokens += [special.encode() for special in special_tokens]
        self._known_words = {}

    @classmethod
    def train(cls, text, vocabulary_size, special_tokens=()):
        """Learn merges from a text until there are `vocabulary_size` tokens, bytes and special tokens among them.

        Special tokens in the text stay out of what is learned. When no pair is left the vocabulary stays smaller:
        `tokenizer.vocabulary_size` tells. Raises ValueError for an empty text, one that is not Unicode, too small a
        vocabulary_size, and special tokens that cannot be told apart.
        """
        _check_text(text)
        if not text:
            raise ValueError("Merges are learned from a text; the text that came is empty.")
        _check_special(special_tokens, _bytes_of_tokens([]))
        smallest = 256 + len(special_tokens)
        if vocabulary_size < smallest:
            raise ValueError(
                f"A vocabulary of {vocabulary_size} is too small: 256 bytes and {len(special_tokens)} special tokens "
                f"need {smallest}. Ask for more, such as {smallest + 256}."
            )
        parts = _split_at(special_tokens, text)[::2]
        word_counts = Counter(word for part in parts for word in split_words(part))
        return cls(train_bpe(word_counts, vocabulary_size - smallest), special_tokens)

    @property
    def vocabulary_size(self):
        return len(self.tokens)

    def encode(self, text, allow_special=False):
        """The tokens of a text, as a list of ints. Raises ValueError for a lone surrogate.

        Special tokens steer a model, and text may come from anybody. So one that is written in `text` is encoded as the
        characters it consists of; only with `allow_special=True` does it become its own token.
        """
        _check_text(text)
        ids = []
        for number, part in enumerate(_split_at(self.special_tokens, text) if allow_special else [text]):
            if number % 2:
                ids.append(self.special_tokens[part])
            else:
                for word in split_words(part):
                    ids += self._known_words.get(word) or self._encode_word(word)
        return ids

    def _encode_word(self, word):
        """The tokens of a word that is not known yet, or no longer."""
        if len(self._known_words) >= MOST_KNOWN_WORDS:
            self._known_words.clear()
        ids = self._known_words[word] = _merge_word(word.encode(), self._merged)
        return ids

    def decode(self, ids):
        """The text of a list or a 1-D tensor of tokens. Raises ValueError for a token outside the vocabulary.

        A model may stop in the middle of a character, or write bytes that are none: they are shown as U+FFFD.
        """
        return b"".join(self.tokens[i] for i in _inside(ids, len(self.tokens))).decode(errors="replace")

    def save(self, path):
        """Write the JSON that Hugging Face's `tokenizers.Tokenizer.from_file` reads, in UTF-8.

        That library always finds special tokens in a text, as `encode` does with `allow_special=True`; set its
        `encode_special_tokens = True` for what `encode` does without.
        """
        Path(path).write_text(json.dumps(self._as_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path):
        """Read what `save` wrote. Raises ValueError for any other file, FileNotFoundError when there is none."""
        raw = Path(path).read_bytes()
        try:
            content = json.loads(raw)
            ids = content["model"]["vocab"]
            merges = [(ids[first], ids[second]) for first, second in content["model"]["merges"]]
            tokenizer = cls(merges, [token["content"] for token in content["added_tokens"]])
        except (ValueError, LookupError, TypeError, AttributeError):
            tokenizer = None
        if tokenizer is None or tokenizer._as_json() != content:
            raise ValueError(
                f"{Path(path).name!r} is not a file that BytePairTokenizer.save wrote, or was changed since. Train a "
                f"tokenizer with BytePairTokenizer.train, and save that."
            )
        return tokenizer

    def _as_json(self):
        names = [_name(token) for token in self.tokens[: 256 + len(self.merges)]]
        model = {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {name: i for i, name in enumerate(names)},
            "merges": [[names[first], names[second]] for first, second in self.merges],
        }  # fmt: skip
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        words = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
        as_is = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        return {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": i, "content": special, **as_is} for special, i in self.special_tokens.items()],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [words, byte_level]},
            "post_processor": None, "decoder": byte_level, "model": model,
        }  # fmt: skip


def _bytes_of_tokens(merges):
    """The bytes of the first 256 tokens and those that `merges` make. Raises ValueError unless each makes a new one."""
    tokens = [bytes([byte]) for byte in range(256)]
    for number, (first, second) in enumerate(merges):
        if not (0 <= first < len(tokens) and 0 <= second < len(tokens)):
            raise ValueError(
                f"Merge {number} is {(first, second)}, but the tokens before it run from 0 to {len(tokens) - 1}. "
                f"Give the merges in the order in which they were learned."
            )
        tokens.append(tokens[first] + tokens[second])
    if len(set(tokens)) < len(tokens):
        twice = Counter(tokens).most_common(1)[0][0]
        raise ValueError(f"Two merges make {twice!r}; each must make a new token. Give merges learned from one text.")
    return tokens


def _check_text(text):
    """Raise ValueError for a lone surrogate: half of a character, which no UTF-8 exists for."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"Character {error.start} of the text is {text[error.start]!r}, a lone surrogate: half of a character, and "
            f"none that UTF-8 can write. Leave it out: text.encode(errors='ignore').decode()."
        ) from None


def _check_special(special_tokens, tokens):
    """Raise ValueError for special tokens that are empty, come twice, or are written like an ordinary token."""
    if isinstance(special_tokens, str):
        raise ValueError(f"special_tokens is a list of texts; {special_tokens!r} came. Write [{special_tokens!r}].")
    taken = set(map(_name, tokens))  # in a file a special token and an ordinary one may not look the same
    for special in special_tokens:
        _check_text(special)
        if not special or special in taken:
            raise ValueError(
                f"The special token {special!r} is empty, comes twice, or is what a file writes for another token. "
                f"Choose one that occurs nowhere else, such as '<|end|>'."
            )
        taken.add(special)


def _split_at(special_tokens, text):
    """Plain text, special token, plain text, ... plain text. Where two could begin, it is the longer one."""
    if not special_tokens:
        return [text]
    longest_first = sorted(special_tokens, key=len, reverse=True)
    return re.split(f"({'|'.join(map(re.escape, longest_first))})", text)


def _byte_characters():
    """A visible character for each of the 256 bytes: what GPT-2's files, and so Hugging Face's, write for it.

    Bytes that Latin-1 shows as a character other than a space stay that character; the others get U+0100, U+0101, ...

    Source: `bytes_to_unicode` in https://github.com/openai/gpt-2, src/encoder.py.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]


_BYTE_CHARACTERS = _byte_characters()


def _name(token):
    """How a file writes the bytes of a token."""
    return "".join(_BYTE_CHARACTERS[byte] for byte in token)
