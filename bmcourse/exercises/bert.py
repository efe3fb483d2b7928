"""Exercises of lesson 13: words hidden and asked for, who may look at whom, and a head on what has been learned."""

import torch
import torch.nn.functional as F

from bmcourse.exercises.core import Exercise, Mistake, Wrong

# Tokens are those of the lesson: 0 [PAD], 1 [UNK], 2 [CLS], 3 [SEP], 4 [MASK], and words from 5.
SENTENCES = [[2, 5, 6, 7, 3, 0, 0], [2, 8, 9, 5, 1, 6, 3]]


def _plain(value):
    """The value without a graph, so that answers with and without no_grad count as alike."""
    return value.detach().clone() if torch.is_tensor(value) else value


def _sentences(rows, T, shortest=3):
    """Random sentences (rows, T) of different lengths, the first as long as all."""
    tokens = torch.randint(5, 40, (rows, T))
    tokens[:, 0] = 2
    for row, words in enumerate([T - 2, *torch.randint(shortest - 2, T - 2, (rows - 1,)).tolist()]):
        tokens[row, words + 1], tokens[row, words + 2 :] = 3, 0
    return tokens


# ---------------------------------------------------------------- mask_like_bert


def mask_like_bert(tokens, chosen, kinds, others):
    inputs = torch.where(chosen & (kinds < 0.9), others, tokens)
    inputs = torch.where(chosen & (kinds < 0.8), 4, inputs)
    targets = torch.where(chosen, tokens, -100)
    return inputs, targets


def _two_tensors(answer, *case):
    result = answer(*case)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Mistake("Return two tensors, `return inputs, targets`: what the model reads, and what it is asked for.")
    return [_plain(part) for part in result]


def _mask_by_assignment(tokens, chosen, kinds, others):
    inputs, targets = tokens.clone(), torch.full_like(tokens, -100)
    hidden, swapped = chosen & (kinds < 0.8), chosen & (kinds >= 0.8) & (kinds < 0.9)
    inputs[hidden] = 4
    inputs[swapped] = others[swapped]
    targets[chosen] = tokens[chosen]
    return inputs, targets


def _mask_by_a_loop(tokens, chosen, kinds, others):
    inputs, targets = tokens.tolist(), [[-100] * tokens.shape[1] for _ in tokens]
    for b, t in chosen.nonzero().tolist():
        targets[b][t] = inputs[b][t]
        if kinds[b, t] < 0.8:
            inputs[b][t] = 4
        elif kinds[b, t] < 0.9:
            inputs[b][t] = others[b, t].item()
    return torch.tensor(inputs), torch.tensor(targets)


def _mask_by_fill(tokens, chosen, kinds, others):
    hidden = tokens.masked_fill(chosen & (kinds < 0.8), 4)
    keep = ~chosen | (kinds < 0.8) | ~(kinds < 0.9)
    return hidden * keep + others * ~keep, tokens.masked_fill(~chosen, -100)


def _masking(hidden=0.8, swapped=0.9, mask=4, targets=None):
    """A wrong masking: with other limits, another token for [MASK], or other targets."""

    def answer(tokens, chosen, kinds, others):
        inputs = torch.where(chosen & (kinds < swapped), others, tokens)
        inputs = torch.where(chosen & (kinds < hidden), mask, inputs)
        right = torch.where(chosen, tokens, -100)
        return inputs, right if targets is None else targets(tokens, inputs, chosen, kinds)

    return answer


def _mask_in_place(tokens, chosen, kinds, others):
    targets = torch.where(chosen, tokens, -100)
    tokens[chosen & (kinds < 0.9)] = others[chosen & (kinds < 0.9)]
    tokens[chosen & (kinds < 0.8)] = 4
    return tokens, targets


MASK_LIKE_BERT = Exercise(
    reference=mask_like_bert,
    prompt="BERT's masking, with the chance taken out. All four are (B, T). Where `chosen` is True, a word of `tokens` "
    "is asked for. What the model reads there depends on its number in `kinds`, 0 to 1: below 0.8 it is [MASK], token "
    "4; from 0.8 to below 0.9 the token of `others`; from 0.9 on the word itself. Return inputs and targets: a target "
    "is the word of `tokens` where it was chosen, and -100 elsewhere. `tokens` stays as it was.",
    cases=lambda: [
        (
            torch.tensor([[2, 5, 6, 7, 3]]),
            torch.tensor([[False, True, True, True, False]]),
            torch.tensor([[0.1, 0.5, 0.85, 0.95, 0.1]]),
            torch.tensor([[9, 9, 9, 9, 9]]),
        ),
        (_sentences(3, 8), torch.rand(3, 8) < 0.5, torch.rand(3, 8), torch.randint(40, 60, (3, 8))),
        (
            torch.tensor([[2, 5, 6, 3]]),
            torch.tensor([[False, True, True, False]]),
            torch.tensor([[0.0, 0.8, 0.9, 0.0]]),
            torch.tensor([[8, 8, 8, 8]]),
        ),
        (_sentences(6, 12), torch.rand(6, 12) < 0.4, torch.rand(6, 12), torch.randint(40, 60, (6, 12))),
    ],
    run=_two_tensors,
    right=[_mask_by_assignment, _mask_by_a_loop, _mask_by_fill],
    wrong=[
        Wrong(
            _mask_in_place,
            "The answer is right, but you changed `tokens` itself: the next epoch would read the masks. Begin with a "
            "copy, or use torch.where.",
        ),
        Wrong(
            _masking(hidden=1.1),
            "You write [MASK] at every chosen place. That is 100 / 0 / 0; BERT hides 80, swaps 10 and keeps 10 of 100.",
        ),
        Wrong(
            _masking(swapped=1.1),
            "You swap the words from 0.9 on, too. They stay as they are: the model cannot trust a word merely because "
            "it is no [MASK].",
        ),
        Wrong(
            _masking(swapped=0.8),
            "You never swap a word for that of `others`: those with a number from 0.8 to below 0.9.",
        ),
        Wrong(
            lambda tokens, chosen, kinds, others: (
                mask_like_bert(tokens, torch.ones_like(chosen), kinds, others)[0],
                mask_like_bert(tokens, chosen, kinds, others)[1],
            ),
            "You change words that were not chosen. `kinds` counts only where `chosen` is True.",
        ),
        Wrong(
            _masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, inputs, -100)),
            "Your targets are what the model reads, [MASK] among them. The target is the word that stood there.",
        ),
        Wrong(
            _masking(targets=lambda tokens, inputs, chosen, kinds: tokens),
            "Your targets ask for every word. Elsewhere than at chosen places the target is -100, so that it costs "
            "nothing.",
        ),
        Wrong(
            _masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen & (kinds < 0.8), tokens, -100)),
            "You ask only for the words behind [MASK]. Those that were swapped or kept are asked for as well: all that "
            "were chosen.",
        ),
        Wrong(
            _masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(inputs != tokens, tokens, -100)),
            "You ask only for words that look different now. A chosen word that was kept is asked for, too.",
        ),
        Wrong(
            _masking(targets=lambda tokens, inputs, chosen, kinds: torch.where(chosen, tokens, 0)),
            "Elsewhere your target is 0, which is a token: [PAD]. The sign for 'not asked' is -100.",
        ),
        Wrong(_masking(mask=0), "You write 0 at a hidden place: that is [PAD], and nobody looks at it. [MASK] is 4."),
        Wrong(
            lambda *case: mask_like_bert(*case)[::-1],
            "Inputs and targets have changed places. Return inputs first.",
        ),
        Wrong(
            lambda *case: mask_like_bert(*case)[0],
            "Return two tensors, `return inputs, targets`: what the model reads, and what it is asked for.",
        ),
    ],
    hints=[
        "Three kinds of chosen places: kinds < 0.8, 0.8 <= kinds < 0.9, and the rest, which stay.",
        "torch.where(condition, this, that) makes a new tensor. & joins two conditions; put each in parentheses.",
        "First write `others` where chosen & (kinds < 0.9), then 4 where chosen & (kinds < 0.8). Targets: "
        "torch.where(chosen, tokens, -100).",
    ],
)

# ---------------------------------------------------------------- hidden_word_loss


def hidden_word_loss(logits, targets):
    asked = targets != -100
    return F.cross_entropy(logits[asked], targets[asked])


def _loss_by_ignore_index(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _loss_by_log_softmax(logits, targets):
    asked = targets >= 0
    chosen = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return -(chosen * asked).sum() / asked.sum()


def _loss_by_a_loop(logits, targets):
    losses = [
        torch.logsumexp(logits[b, t], dim=0) - logits[b, t, targets[b, t]]
        for b, t in (targets != -100).nonzero().tolist()
    ]
    return torch.stack(losses).mean()


def _loss_of_all(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten())


def _loss_over_all_places(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / targets.numel()


def _loss_of_sentences(logits, targets):
    return torch.stack([hidden_word_loss(x[None], y[None]) for x, y in zip(logits, targets, strict=True)]).mean()


def _loss_shifted(logits, targets):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten())


HIDDEN_WORD_LOSS = Exercise(
    reference=hidden_word_loss,
    prompt="The loss of masked language modelling. `logits` are (B, T, V), `targets` (B, T): a word's number where it "
    "is asked for, and -100 elsewhere. Return the mean cross-entropy of the words that are asked for, over all "
    "sentences together, in nats, as a tensor that keeps its graph.",
    cases=lambda: [
        (torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True), torch.tensor([[-100, 1]])),
        (
            torch.randn(2, 4, 6, requires_grad=True),
            torch.tensor([[-100, 3, -100, -100], [-100, 0, 5, 2]]),
        ),
        (torch.randn(3, 5, 7, requires_grad=True), torch.tensor([[-100, 1, 2, -100, -100]] * 3)),
    ],
    right=[_loss_by_ignore_index, _loss_by_log_softmax, _loss_by_a_loop],
    wrong=[
        Wrong(
            _loss_of_all,
            "You ask at every place, with token 0 where nothing is asked. Then the model is mostly paid for guessing "
            "[PAD]. Leave out the places where the target is -100.",
        ),
        Wrong(
            _loss_over_all_places,
            "The sum is right, and you divide it by all places. Divide by the number of words that are asked for, or "
            "the loss falls when you ask for less.",
        ),
        Wrong(
            lambda logits, targets: hidden_word_loss(logits, targets) * (targets != -100).sum(),
            "That is the sum over the words. Take the mean.",
        ),
        Wrong(
            _loss_of_sentences,
            "You take the mean of each sentence, and then the mean of these: a word in a sentence with few gaps counts "
            "more. Put all words together first.",
        ),
        Wrong(
            _loss_shifted,
            "You compare place t with target t + 1. That is a GPT's loss, which foretells the next token; a BERT "
            "answers at the place itself.",
        ),
        Wrong(
            lambda logits, targets: hidden_word_loss(logits.softmax(dim=-1), targets),
            "You give probabilities to F.cross_entropy, which does the softmax itself. Give it the logits.",
        ),
        Wrong(
            lambda logits, targets: -hidden_word_loss(logits, targets),
            "The sign is wrong: that is the mean log-probability. The loss is its negative.",
        ),
        Wrong(
            lambda logits, targets: hidden_word_loss(logits, targets).detach(),
            "The number is right, but the graph is gone: nothing can be learned from it. Leave out detach().",
        ),
    ],
    hints=[
        "asked = targets != -100 is a mask (B, T). What is logits[asked]?",
        "logits[asked] is (words asked for, V), and targets[asked] has one number for each.",
        "F.cross_entropy(logits[asked], targets[asked]) is the mean over these words.",
    ],
)

# ---------------------------------------------------------------- looking_mask


def looking_mask(tokens, causal):
    B, T = tokens.shape
    hidden = (tokens == 0)[:, None, :].expand(B, T, T)
    if causal:
        hidden = hidden | torch.ones(T, T, dtype=torch.bool).triu(diagonal=1)
    return hidden


def _looking_by_a_loop(tokens, causal):
    B, T = tokens.shape
    mask = torch.zeros(B, T, T, dtype=torch.bool)
    for b in range(B):
        for key in range(T):
            for query in range(T):
                mask[b, query, key] = bool(tokens[b, key] == 0) or (causal and key > query)
    return mask


def _looking_by_places(tokens, causal):
    places = torch.arange(tokens.shape[1])
    future = (places > places[:, None]) & bool(causal)
    return tokens.eq(0).unsqueeze(1) | future.unsqueeze(0)


def _looking_by_not(tokens, causal):
    may = (tokens != 0)[:, None].repeat(1, tokens.shape[1], 1)
    return ~(may.tril() if causal else may)


def _looking(pad=lambda tokens: (tokens == 0)[:, None], future=lambda T: torch.ones(T, T).triu(1).bool()):
    """A wrong mask: other padding (broadcast to B, T, T), or another future (T, T)."""

    def answer(tokens, causal):
        B, T = tokens.shape
        mask = pad(tokens).expand(B, T, T)
        return mask | future(T) if causal else mask.clone()

    return answer


LOOKING_MASK = Exercise(
    reference=looking_mask,
    prompt="Who may look at whom. From tokens (B, T) make a mask (B, T, T) of True and False: True at [b, t, s] where "
    "place t of sentence b may NOT look at place s. Nobody looks at [PAD], token 0. With `causal` nobody looks at a "
    "later place either; without it, both sides are open.",
    cases=lambda: [
        (torch.tensor([[2, 5, 3, 0]]), False),
        (torch.tensor(SENTENCES), False),
        (torch.tensor([[2, 5, 3, 0]]), True),
        (torch.tensor(SENTENCES), True),
        (_sentences(4, 6), True),
    ],
    run=lambda answer, *case: _plain(answer(*case)),
    right=[_looking_by_a_loop, _looking_by_places, _looking_by_not],
    wrong=[
        Wrong(
            _looking(pad=lambda tokens: (tokens == 0)[:, :, None]),
            "You forbid [PAD] to look. What counts is that nobody looks *at* it: the padding must run along the last "
            "axis, the places that are looked at.",
        ),
        Wrong(
            lambda tokens, causal: ~looking_mask(tokens, causal),
            "True and False are turned round: here True means may NOT look, as in the course's attention.",
        ),
        Wrong(
            lambda tokens, causal: looking_mask(tokens, False),
            "With causal=True a place must not see later ones: above the diagonal everything is True.",
        ),
        Wrong(
            lambda tokens, causal: looking_mask(tokens, True),
            "You forbid the future always. Without `causal` a BERT sees both sides.",
        ),
        Wrong(
            _looking(future=lambda T: torch.ones(T, T).triu(0).bool()),
            "On the diagonal you forbid a place to look at itself. Begin one above it: triu(diagonal=1).",
        ),
        Wrong(
            _looking(future=lambda T: torch.ones(T, T).tril(-1).bool()),
            "You forbid the past and leave the future open. Rows look, columns are looked at: forbid above the "
            "diagonal.",
        ),
        Wrong(
            _looking(pad=lambda tokens: (tokens == 0)[:, None] & False),
            "[PAD] can be seen: a short sentence would change when a longer one stands beside it in the batch.",
        ),
        Wrong(
            _looking(pad=lambda tokens: (tokens < 5)[:, None]),
            "You hide all special tokens. Only [PAD], token 0, is hidden; [CLS], [SEP] and [MASK] are read.",
        ),
        Wrong(
            lambda tokens, causal: looking_mask(tokens, causal).float(),
            "That is a mask of numbers. Return True and False (dtype bool): 1.0 would be *added* to the scores.",
        ),
        Wrong(
            lambda tokens, causal: looking_mask(tokens, causal)[0],
            "You return the mask of one sentence. Each sentence has its own padding: (B, T, T).",
        ),
    ],
    hints=[
        "tokens == 0 is (B, T). It must become (B, 1, T), so that it is the same for every place that looks.",
        "The future is torch.ones(T, T, dtype=torch.bool).triu(diagonal=1); | joins two masks.",
        "hidden = (tokens == 0)[:, None, :].expand(B, T, T), and with causal: hidden | the future.",
    ],
)

# ---------------------------------------------------------------- share_filled_in


def share_filled_in(logits, targets):
    asked = targets != -100
    return (logits[asked].argmax(dim=-1) == targets[asked]).float().mean().item()


def _share_by_a_loop(logits, targets):
    right = [logits[b, t].argmax().item() == targets[b, t].item() for b, t in (targets != -100).nonzero(as_tuple=False)]
    return sum(right) / len(right)


def _share_by_sums(logits, targets):
    right = logits.argmax(dim=-1) == targets
    return (right.sum() / (targets >= 0).sum()).item()


def _share_by_max(logits, targets):
    guesses = logits.max(dim=2).indices[targets.ne(-100)]
    return (guesses == targets[targets.ne(-100)]).double().mean().item()


SHARE_FILLED_IN = Exercise(
    reference=share_filled_in,
    prompt="Fill-in accuracy. `logits` are (B, T, V), `targets` (B, T): a word's number where it is asked for, and "
    "-100 elsewhere. Return the share of the words asked for at which the largest logit is the right word's: a plain "
    "number from 0 to 1.",
    cases=lambda: [
        (
            torch.tensor([[[0.0, 2.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]),
            torch.tensor([[1, -100, 0]]),
        ),
        (
            torch.eye(4)[torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])],
            torch.tensor([[0, -100, 2, 1], [-100, -100, -100, 0]]),
        ),
        (
            torch.eye(5)[torch.tensor([[1, 2, 3], [4, 4, 4], [0, 0, 0]])] - 3,
            torch.tensor([[1, 2, 4], [4, -100, -100], [1, -100, -100]]),
        ),
    ],
    right=[_share_by_a_loop, _share_by_sums, _share_by_max],
    wrong=[
        Wrong(
            lambda logits, targets: (logits.argmax(-1) == targets).float().mean().item(),
            "You divide by all places. Divide by the number of words that are asked for: targets != -100.",
        ),
        Wrong(
            lambda logits, targets: ((logits.argmax(-1) == targets) | (targets == -100)).float().mean().item(),
            "Places where nothing is asked count as right with you. Leave them out.",
        ),
        Wrong(
            lambda logits, targets: (
                torch.stack(
                    [
                        (x[y != -100].argmax(-1) == y[y != -100]).float().mean()
                        for x, y in zip(logits, targets, strict=True)
                    ]
                )
                .mean()
                .item()
            ),
            "You take the share of each sentence, and then their mean. Put all words together first.",
        ),
        Wrong(
            lambda logits, targets: 100 * share_filled_in(logits, targets),
            "That is in percent. Asked is a share, from 0 to 1.",
        ),
        Wrong(
            lambda logits, targets: 1 - share_filled_in(logits, targets),
            "That is the share of wrong guesses.",
        ),
        Wrong(
            lambda logits, targets: int(((logits.argmax(-1) == targets) & (targets >= 0)).sum()),
            "That is how many are right. Divide by how many are asked for.",
        ),
        Wrong(
            lambda logits, targets: (
                (logits[:, :-1].argmax(-1) == targets[:, 1:])[targets[:, 1:] >= 0].float().mean().item()
            ),
            "You compare the guess at place t with target t + 1, as for a GPT. A BERT answers at the place itself.",
        ),
        Wrong(
            lambda logits, targets: (
                logits.softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0][targets >= 0].mean().item()
            ),
            "That is the mean probability of the right words. Accuracy counts: is the right word the first guess?",
        ),
    ],
    hints=[
        "asked = targets != -100, and only logits[asked] and targets[asked] count.",
        "The guess is the place of the largest logit: argmax(dim=-1).",
        "(guesses == targets[asked]).float().mean().item()",
    ],
)

# ---------------------------------------------------------------- cls_logits


def cls_logits(vectors, weight, bias):
    return vectors[:, 0] @ weight.T + bias


def _cls_by_linear(vectors, weight, bias):
    return F.linear(vectors, weight, bias)[:, 0]


def _cls_by_einsum(vectors, weight, bias):
    return torch.einsum("bc,kc->bk", vectors.select(1, 0), weight) + bias


def _cls_by_a_loop(vectors, weight, bias):
    return torch.stack(
        [torch.stack([(row[0] * w).sum() + b for w, b in zip(weight, bias, strict=True)]) for row in vectors]
    )


CLS_LOGITS = Exercise(
    reference=cls_logits,
    prompt="A head for K classes. `vectors` (B, T, C) come out of BERT's last layer; [CLS] stands at the first place "
    "of each sentence. `weight` is (K, C) and `bias` (K,), as in nn.Linear. Return the logits (B, K) of one linear "
    "layer on what stands at [CLS], with their graph.",
    cases=lambda: [
        (
            torch.tensor([[[1.0, 2.0], [5.0, 5.0]]], requires_grad=True),
            torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
            torch.tensor([0.5, 0.0]),
        ),
        (torch.randn(3, 5, 4, requires_grad=True), torch.randn(6, 4), torch.randn(6)),
        (torch.randn(4, 4, 4, requires_grad=True), torch.randn(4, 4), torch.randn(4)),
    ],
    right=[_cls_by_linear, _cls_by_einsum, _cls_by_a_loop],
    wrong=[
        Wrong(
            lambda vectors, weight, bias: vectors[0] @ weight.T + bias,
            "vectors[0] is the whole first sentence. Asked is the first place of *every* sentence: vectors[:, 0].",
        ),
        Wrong(
            lambda vectors, weight, bias: vectors[:, -1] @ weight.T + bias,
            "You read the last place. In a GPT that is the one that has seen all; here it is [CLS], the first one. The "
            "last one may be [PAD].",
        ),
        Wrong(
            lambda vectors, weight, bias: vectors.mean(dim=1) @ weight.T + bias,
            "You take the mean of all places, padding among them. Asked is what stands at [CLS].",
        ),
        Wrong(
            lambda vectors, weight, bias: vectors @ weight.T + bias,
            "You classify every token. Asked is one answer a sentence: take the vector at [CLS].",
        ),
        Wrong(
            lambda vectors, weight, bias: vectors[:, 0] @ weight.T,
            "The bias is missing.",
        ),
        Wrong(
            lambda vectors, weight, bias: cls_logits(vectors, weight, bias).softmax(dim=-1),
            "Those are probabilities. Return the logits: the loss does the softmax itself.",
        ),
        Wrong(
            lambda vectors, weight, bias: cls_logits(vectors.detach(), weight, bias),
            "The numbers are right, but the graph to the BERT is cut: it would stay frozen. Fine-tuning trains all of "
            "it.",
        ),
        Wrong(
            lambda vectors, weight, bias: cls_logits(vectors, weight, bias).argmax(dim=-1),
            "Those are the classes themselves, and no gradient goes through argmax. Return the logits.",
        ),
    ],
    hints=[
        "vectors[:, 0] is (B, C): the first place of every sentence.",
        "A linear layer is x @ weight.T + bias.",
        "F.linear(vectors[:, 0], weight, bias) does the same.",
    ],
)

# ---------------------------------------------------------------- word_mean


def word_mean(vectors, tokens):
    words = (tokens > 4).unsqueeze(-1).float()
    return (vectors * words).sum(dim=1) / words.sum(dim=1)


def _mean_by_a_loop(vectors, tokens):
    return torch.stack([row[these > 4].mean(dim=0) for row, these in zip(vectors, tokens, strict=True)])


def _mean_by_product(vectors, tokens):
    shares = (tokens >= 5).to(vectors.dtype)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return (shares[:, None] @ vectors)[:, 0]


def _mean_by_nan(vectors, tokens):
    return vectors.masked_fill((tokens <= 4)[..., None], torch.nan).nanmean(dim=1)


def _mean_over(which):
    """A wrong mean: over other tokens."""

    def answer(vectors, tokens):
        chosen = which(tokens).unsqueeze(-1).float()
        return (vectors * chosen).sum(dim=1) / chosen.sum(dim=1)

    return answer


WORD_MEAN = Exercise(
    reference=word_mean,
    prompt="Features for a probe. `vectors` (B, T, C) come out of some layer of a frozen BERT that has read `tokens` "
    "(B, T). Return the mean of the vectors at words, (B, C), for every sentence. Tokens 0 to 4 are no words: [PAD], "
    "[UNK], [CLS], [SEP], [MASK]. Every sentence has one word or more.",
    cases=lambda: [
        (torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]]), torch.tensor([[2, 5, 6, 3]])),
        (torch.randn(2, 7, 3), torch.tensor(SENTENCES)),
        (torch.randn(4, 9, 5), _sentences(4, 9, shortest=4)),
        (torch.randn(1, 6, 2), torch.tensor([[2, 4, 5, 4, 3, 0]])),
    ],
    run=lambda answer, *case: _plain(answer(*case)),
    right=[_mean_by_a_loop, _mean_by_product, _mean_by_nan],
    wrong=[
        Wrong(
            lambda vectors, tokens: vectors.mean(dim=1),
            "You take the mean of all places. A short sentence is mostly [PAD], and would look like any other short "
            "one.",
        ),
        Wrong(
            _mean_over(lambda tokens: tokens != 0),
            "You leave out [PAD] only. [CLS], [SEP], [UNK] and [MASK] are no words either: words are from 5 on.",
        ),
        Wrong(
            _mean_over(lambda tokens: tokens >= 4),
            "[MASK] is token 4 and no word. Words are tokens > 4.",
        ),
        Wrong(
            lambda vectors, tokens: (vectors * (tokens > 4)[..., None]).sum(dim=1),
            "That is the sum: a long sentence has a long vector. Divide by the number of words.",
        ),
        Wrong(
            lambda vectors, tokens: (vectors * (tokens > 4)[..., None]).mean(dim=1),
            "The sum is right, and you divide it by T. Divide by the number of words in each sentence.",
        ),
        Wrong(
            lambda vectors, tokens: vectors[tokens > 4].mean(dim=0, keepdim=True).expand(len(vectors), -1),
            "You take one mean over all sentences together. Each sentence has its own.",
        ),
        Wrong(
            lambda vectors, tokens: vectors[:, 0],
            "That is the vector at [CLS]. Pre-training has never asked it for anything: take the words.",
        ),
        Wrong(
            lambda vectors, tokens: (
                (vectors * (tokens > 4)[..., None]).sum(dim=1) / (tokens > 4).sum(dim=1).float().mean()
            ),
            "You divide every sentence by the mean number of words. Divide each by its own.",
        ),
        Wrong(
            lambda vectors, tokens: vectors.masked_fill((tokens <= 4)[..., None], -torch.inf).amax(dim=1),
            "That is the largest number of each channel, max pooling. Asked is the mean.",
        ),
    ],
    hints=[
        "words = tokens > 4 is (B, T); with unsqueeze(-1) it is (B, T, 1) and broadcasts to the vectors.",
        "vectors * words makes all other places 0. Sum over dim=1.",
        "Divide by words.sum(dim=1), which is (B, 1): the number of words of each sentence.",
    ],
)
