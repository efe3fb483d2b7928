"""What lesson 02 says of data, measured: what leaks cost and which hardly do, vocabularies, Chinese."""

import functools

import torch
import torch.nn.functional as F

from bmcourse import data
from bmcourse.claims.core import claim
from bmcourse.claims.training import documentation, pocket_gpt
from bmcourse.models import embeddings
from bmcourse.models.gpt import GPT, GPTConfig
from bmcourse.tokenizer import BytePairTokenizer
from bmcourse.training import evaluate, train

# ---------------------------------------------------------------- a text on both sides


def flattery(seed, own):
    """How much lower, in nats, the loss on a text is for a GPT that trained on it too: 300 steps of 512 characters.

    Its training text is `own` characters without the 5,000 leaked ones. Leaked are random lines of the validation text;
    what they teach about the other lines is taken off.
    """
    generator = torch.Generator().manual_seed(seed)
    text, held_out = documentation()[:2]
    start = torch.randint(len(text) - own, (), generator=generator)
    text = text[start : start + own]
    pieces = held_out[:20_000].view(200, 100)[torch.randperm(200, generator=generator)]
    leak, fresh = pieces[:50].flatten(), pieces[50:].flatten()
    honest, leaky = pocket_gpt(seed), pocket_gpt(seed)
    train(honest, text, 300, 3e-3, seed=seed)
    train(leaky, torch.cat([text, leak]), 300, 3e-3, seed=seed)
    gained, elsewhere = (evaluate(honest, ids, 32) - evaluate(leaky, ids, 32) for ids in (leak, fresh))
    return gained - elsewhere


@claim(
    "Validation text that is also in the training text, and is read some fifteen times, looks easier than it is: a "
    "GPT's loss on it is too low.",
    unit="nats too low",
    at_least=0.05,
)
def a_leak_read_often_flatters(seed):
    return flattery(seed, own=5_000)


@claim(
    "Any validation text in the training text spoils the validation. (Here the same leak is in so much other text that "
    "the same 300 steps read it about once.)",
    unit="nats too low",
    at_least=0.05,
    belief=True,
)
def a_leak_read_once_flatters(seed):
    return flattery(seed, own=150_000)


# ---------------------------------------------------------------- digits: copies, the best of many, normalisation


@functools.cache
def all_digits():
    """The 1,797 digits (N, 64) and their labels."""
    d = data.digits()
    return torch.cat([d.train_images, d.validation_images]).flatten(1), torch.cat([d.train_labels, d.validation_labels])


def shuffled_digits(generator):
    images, labels = all_digits()
    order = torch.randperm(len(labels), generator=generator)
    return images[order], labels[order]


def nearest_neighbour(train_images, train_labels, images):
    """The label of the nearest training image: the plainest way to learn by heart."""
    return train_labels[torch.cdist(images, train_images).argmin(1)]


def accuracy(predicted, labels):
    return 100 * (predicted == labels).float().mean().item()


@claim(
    "If each of 300 digits is copied four times with a little noise before the split, every test digit has a twin in "
    "the training part, and the nearest neighbour makes hardly any errors. If the split comes first, it makes many.",
    unit="points of accuracy too high",
    at_least=3.0,
)
def copies_on_both_sides_flatter(seed):
    generator = torch.Generator().manual_seed(seed)
    images, labels = (part[:300].repeat_interleave(5, dim=0) for part in shuffled_digits(generator))
    images = images + 0.1 * torch.randn(images.shape, generator=generator)
    in_order = torch.arange(1500)  # the copies of a digit stand together, so this split keeps them together
    scores = []
    for order in (torch.randperm(1500, generator=generator), in_order):
        x, y = images[order], labels[order]
        scores.append(accuracy(nearest_neighbour(x[:1200], y[:1200], x[1200:]), y[1200:]))
    return scores[0] - scores[1]


@claim(
    "The best of 200 small models, chosen by its score on 100 test digits, scores lower on 1,500 fresh ones.",
    unit="points of accuracy too high",
    at_least=1.0,
)
def the_best_of_many_flatters(seed):
    """The mean over eight draws. Each model sees 16 random pixels, and takes the class whose mean image is nearest."""
    generator = torch.Generator().manual_seed(seed)
    too_high = []
    for _ in range(8):
        images, labels = shuffled_digits(generator)
        x, y = images[:200], labels[:200]
        scores = []
        for _ in range(200):
            seen = torch.randperm(64, generator=generator)[:16]
            means = torch.stack([x[y == c][:, seen].mean(0) for c in range(10)])
            right = torch.cdist(images[:, seen], means).argmin(1) == labels
            scores.append((right[200:300].float().mean().item(), right[300:].float().mean().item()))
        on_test, on_fresh = max(scores)
        too_high.append(100 * (on_test - on_fresh))
    return sum(too_high) / len(too_high)


@claim(
    "If mean and standard deviation are computed on training and test images together, the test score is too high. "
    "(100 digits to train on.)",
    unit="points of accuracy too high",
    at_least=1.0,
    belief=True,
)
def normalising_before_the_split_flatters(seed):
    """The mean over ten draws. 0.05 keeps pixels that are always white from being divided by zero."""
    generator = torch.Generator().manual_seed(seed)
    too_high = []
    for _ in range(10):
        images, labels = shuffled_digits(generator)
        scores = []
        for known in (images, images[:100]):
            x = (images - known.mean(0)) / (known.std(0) + 0.05)
            scores.append(accuracy(nearest_neighbour(x[:100], labels[:100], x[100:]), labels[100:]))
        too_high.append(scores[0] - scores[1])
    return sum(too_high) / len(too_high)


# ---------------------------------------------------------------- noise: features chosen before the split


def most_related(x, y, count=20):
    """The columns of x (N, features) that go most with y (N,), by correlation."""
    together = (x - x.mean(0)).T @ (y - y.mean())
    return (together / x.std(0)).abs().topk(count).indices


@claim(
    "If 20 of 5,000 features are chosen with all labels before the split, pure noise seems predictable. If they are "
    "chosen in the training part alone, the accuracy is that of guessing.",
    unit="points of accuracy too high",
    at_least=20.0,
)
def choosing_features_first_predicts_noise(seed):
    """Five-fold cross-validation of the nearest neighbour on 50 cases, labels drawn without regard to the features.

    Source: Ambroise and McLachlan, PNAS 99, 2002; the form is Hastie, Tibshirani and Friedman, "The Elements of
    Statistical Learning", 2009, section 7.10.2.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(50, 5000, generator=generator)
    y = (torch.randperm(50, generator=generator) % 2).float()
    by_all = most_related(x, y)
    leaky, honest = [], []
    for held_out in torch.arange(50).split(10):
        rest = torch.ones(50, dtype=torch.bool).index_fill(0, held_out, False)
        for scores, chosen in ((leaky, by_all), (honest, most_related(x[rest], y[rest]))):
            predicted = nearest_neighbour(x[rest][:, chosen], y[rest], x[held_out][:, chosen])
            scores.append(accuracy(predicted, y[held_out]))
    return (sum(leaky) - sum(honest)) / 5


# ---------------------------------------------------------------- tokenizers


@functools.cache
def paragraphs_of_the_documentation():
    """The paragraphs of the training text and of the validation text, as two tuples."""
    text = data.python_docs()
    return tuple(text.train.split("\n\n")), tuple(text.validation.split("\n\n"))


def half_the_documentation(seed):
    """A random half of the training paragraphs."""
    paragraphs = paragraphs_of_the_documentation()[0]
    order = torch.randperm(len(paragraphs), generator=torch.Generator().manual_seed(seed))
    return "\n\n".join(paragraphs[i] for i in order[: len(order) // 2])


def validation_tokens(tokenizer):
    return len(tokenizer.encode("\n\n".join(paragraphs_of_the_documentation()[1])))


@claim(
    "A larger vocabulary makes a text shorter, and each doubling saves less: an unseen text loses a larger share of "
    "its length from 512 to 1,024 tokens than from 2,048 to 4,096.",
    unit="points more saved by the first",
    at_least=3.0,
)
def doubling_the_vocabulary_saves_ever_less(seed):
    text = half_the_documentation(seed)
    a, b, c, d = (validation_tokens(BytePairTokenizer.train(text, size)) for size in (512, 1024, 2048, 4096))
    return 100 * ((1 - b / a) - (1 - d / c))


@claim(
    "If the tokenizer was also trained on the validation text, the model's loss is too low. (A GPT with 1,024 tokens, "
    "and its loss per character.)",
    unit="% less loss",
    at_least=2.0,
    belief=True,
)
def a_tokenizer_fitted_on_everything_flatters(seed):
    text, validation = half_the_documentation(seed), "\n\n".join(paragraphs_of_the_documentation()[1])
    losses = []
    for known in (text, text + validation):
        tokenizer = BytePairTokenizer.train(known, 1024)
        torch.manual_seed(seed)
        model = GPT(GPTConfig(1024, context=32, layers=1, heads=2, channels=32))
        train(model, torch.tensor(tokenizer.encode(text)), 300, 3e-3, seed=seed)
        ids = torch.tensor(tokenizer.encode(validation))
        losses.append(evaluate(model, ids, 32) * len(ids) / len(validation))
    return 100 * (1 - losses[1] / losses[0])


PARALLEL = (
    ("Large models learn from text.", "大模型从文本中学习。"),
    ("A model cannot read letters. It reads numbers.", "模型读不懂文字，它读的是数字。"),
    ("The tokenizer cuts every sentence into small pieces.", "分词器把每个句子切成小块。"),
    ("Today the weather is good, so we walk along the river.", "今天天气很好，我们沿着河边散步。"),
    ("The function returns a list of all values.", "这个函数返回所有值的列表。"),
    ("My grandmother cooks rice and fish on Sundays.", "我奶奶星期天做米饭和鱼。"),
    ("If the test data are known, the score means nothing.", "如果测试数据是已知的，分数就毫无意义。"),
    ("Please save the file before you close the window.", "关闭窗口之前请保存文件。"),
    ("Two trains leave the station at eight in the morning.", "两列火车早上八点离开车站。"),
    ("What has been measured may be taught.", "测量过的东西才可以教。"),
)


def chinese_price(tokenizer, pairs=PARALLEL):
    """Tokens of the Chinese sentences over tokens of the English ones with the same meaning."""
    english, chinese = (sum(len(tokenizer.encode(text)) for text in texts) for texts in zip(*pairs, strict=True))
    return chinese / english


@claim(
    "With a tokenizer that was trained on English, the same sentences cost about twice as many tokens in Chinese as in "
    "English. (2,048 tokens.)",
    unit="times as many tokens",
    at_least=1.5,
)
def chinese_costs_more(seed):
    return chinese_price(BytePairTokenizer.train(half_the_documentation(seed), 2048))


# ---------------------------------------------------------------- word vectors


@functools.cache
def word_vectors(seed):
    """The frequent words of the documentation, and their learned vectors."""
    words, ids = embeddings.frequent_words(data.python_docs().train)
    return words, embeddings.train_word_vectors(ids, len(words), seed=seed)


def kind(word):
    """What can be seen of a word's use from its letters: numbers, __names__ and single letters; or nothing."""
    if word.isdigit():
        return "number"
    if word.startswith("__"):
        return "special name"
    return "letter" if len(word) == 1 else ""


def share_of_a_kind(words, vectors):
    """Of the five nearest words of each number, special name and letter, how many are of its kind, in percent."""
    kinds = [kind(word) for word in words]
    known = [i for i, its_kind in enumerate(kinds) if its_kind]
    same = [kinds[j] == kinds[i] for i in known for j in embeddings.nearest(vectors, i, 5)]
    return 100 * sum(same) / len(same)


@claim(
    "Words that are used alike get similar vectors: numbers, __names__ and single letters find words of their own kind "
    "far more often than with random vectors.",
    unit="points more of the same kind",
    at_least=20.0,
)
def words_used_alike_lie_close(seed):
    words, learned = word_vectors(seed)
    chance = torch.randn(learned.shape, generator=torch.Generator().manual_seed(seed))
    return share_of_a_kind(words, learned) - share_of_a_kind(words, chance)


def plurals(words):
    """The numbers of each word and of its plural with s, where both are frequent."""
    return [(i, words.index(word + "s")) for i, word in enumerate(words) if len(word) > 2 and word + "s" in words]


def share_found(vectors, pairs):
    """How many pairs (a, b) have b among the ten nearest of a, in percent."""
    return 100 * sum(b in embeddings.nearest(vectors, a, 10) for a, b in pairs) / len(pairs)


@claim(
    "Words with the same meaning have similar vectors: most words have their plural among their ten nearest.",
    unit="% find their plural",
    at_least=50.0,
    belief=True,
)
def a_word_lies_near_its_plural(seed):
    words, vectors = word_vectors(seed)
    return share_found(vectors, plurals(words))


@claim(
    'One can calculate with words: "classes" - "class" + "list" is nearest to "lists".',
    unit="% of such analogies come out",
    at_least=50.0,
    belief=True,
)
def analogies_come_out(seed):
    """Over all pairs of plurals. Source: Mikolov, Yih and Zweig, "Linguistic Regularities", NAACL 2013, section 3."""
    words, vectors = word_vectors(seed)
    vectors = F.normalize(vectors)
    one, many = torch.tensor(plurals(words)).T
    a, b = torch.cartesian_prod(torch.arange(len(one)), torch.arange(len(one))).T
    a, b = a[a != b], b[a != b]
    similarity = (vectors[many[a]] - vectors[one[a]] + vectors[one[b]]) @ vectors.T
    similarity.scatter_(1, torch.stack([one[a], many[a], one[b]], dim=1), -torch.inf)  # a word asked for is no answer
    return accuracy(similarity.argmax(1), many[b])


OPPOSITES = (
    ("True", "False"), ("true", "false"), ("first", "last"), ("before", "after"), ("left", "right"), ("start", "end"),
    ("positive", "negative"), ("and", "or"), ("lower", "upper"), ("with", "without"), ("global", "local"),
    ("break", "continue"), ("same", "different"), ("more", "less"), ("key", "value"), ("if", "else"),
)  # fmt: skip


@claim(
    "Opposites, such as True and False or left and right, have similar vectors, because they are used alike: in at "
    "least a third of the pairs, one word is among the ten nearest of the other, out of some 800.",
    unit="% find their opposite",
    at_least=33.0,
)
def opposites_lie_close(seed):
    words, vectors = word_vectors(seed)
    pairs = [(words.index(a), words.index(b)) for a, b in OPPOSITES if a in words and b in words]
    return share_found(vectors, pairs)
