"""Counting n-grams (n 元语法): the honest baseline of every language model, and it needs no training.

How often did each character follow these four? Where those four were rarely seen, ask what follows the last three, and
so on down to none: Kneser-Ney smoothing mixes all the answers.
"""

import torch

DISCOUNT = 0.75  # taken from every count, and given to the shorter contexts


class NGrams:
    """What follows the last `order - 1` tokens, counted in `ids` (T,): interpolated Kneser-Ney.

    p_n(w | h) = (max(c(h w) - d, 0) + d N(h) p_(n-1)(w | h')) / c(h), where c counts, d is the discount, N(h) is the
    number of different tokens seen after the context h, and h' is h without its first token; p_0 is 1 / V. A shorter
    n-gram counts once for each different token seen before it, so that a word common after one word alone stays rare.
    Raises ValueError for an order that does not fit: n-grams are numbered, and V to the power of n must fit 63 bits.
    Sources: Kneser and Ney, "Improved backing-off for m-gram language modeling", 1995; Chen and Goodman, "An Empirical
    Study of Smoothing Techniques for Language Modeling", 1999 (interpolated, one discount).
    """

    def __init__(self, ids, vocabulary_size, order=5):
        if not 1 <= order <= len(ids) or vocabulary_size**order >= 2**63:
            raise ValueError(
                f"order is {order}; it must be 1 or more, at most the text's {len(ids)} tokens, and so small that "
                f"{vocabulary_size} ** order fits 63 bits."
            )
        self.vocabulary_size, self.order, self.tables = vocabulary_size, order, []
        grams, counts = torch.unique(self.number(ids.unfold(0, order, 1)), return_counts=True)
        for n in range(order, 0, -1):
            contexts, place = torch.unique_consecutive(grams // vocabulary_size, return_inverse=True)
            seen = torch.zeros(len(contexts), dtype=torch.long).index_add(0, place, counts)
            self.tables.insert(0, (grams, counts, contexts, seen, place.bincount()))
            grams, counts = torch.unique(grams % vocabulary_size ** (n - 1), return_counts=True)

    def number(self, grams):
        """One number for each n-gram (..., n): its tokens are the digits."""
        digits = self.vocabulary_size ** torch.arange(grams.shape[-1] - 1, -1, -1)
        return (grams * digits).sum(-1)

    def probabilities(self, contexts, tokens):
        """The probability of each of `tokens` (N,) after the same row of `contexts` (N, n), n below the order."""
        p = torch.full(tokens.shape, 1 / self.vocabulary_size, dtype=torch.double)
        for n, (grams, counts, known, seen, different) in enumerate(self.tables[: contexts.shape[1] + 1]):
            context = self.number(contexts[:, contexts.shape[1] - n :])
            count = look_up(grams, counts, context * self.vocabulary_size + tokens)
            total, kinds = look_up(known, seen, context), look_up(known, different, context)
            mixed = ((count - DISCOUNT).clamp(min=0) + DISCOUNT * kinds * p) / total.clamp(min=1)
            p = torch.where(total > 0, mixed, p)
        return p

    def next_probabilities(self, tokens):
        """The probability (V,) of every token to come after `tokens` (T,), of which the last order - 1 count."""
        context = tokens[max(0, len(tokens) - self.order + 1) :]
        every = torch.arange(self.vocabulary_size)
        return self.probabilities(context.expand(len(every), -1), every)

    def losses(self, ids, context):
        """The loss of every target (windows, context), in nats, over the windows that `training.evaluate` reads.

        Like a GPT it sees nothing from before the window. The mean is the loss that `evaluate` gives.
        """
        windows = (len(ids) - 1) // context
        x = ids[: windows * context].view(windows, context)
        y = ids[1 : windows * context + 1].view(windows, context)
        columns = [self.probabilities(x[:, max(0, t + 2 - self.order) : t + 1], y[:, t]) for t in range(context)]
        return -torch.stack(columns, dim=1).log()


def look_up(keys, values, wanted):
    """The value of each wanted key, 0 for those that are not among the sorted `keys`."""
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == wanted, values[place], 0)
