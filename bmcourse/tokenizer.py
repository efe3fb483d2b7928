"""Text to numbers and back. The simplest tokenizer first: one token a character."""


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
