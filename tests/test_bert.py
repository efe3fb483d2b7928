"""The BERT and its pre-training: equal to torch.nn, masks by the numbers, nothing leaks; the one in data/ measured."""

import json
import pickle
import shutil

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from bmcourse import pretraining, recipes
from bmcourse.explain.attention import encoder_attention
from bmcourse.models.attention import causal_mask
from bmcourse.models.bert import BERT, CLS, MASK, PAD, SEP, SPECIAL, UNK, BERTClassifier, BERTConfig, read_sentences
from bmcourse.pretraining import (
    IGNORED,
    Corpus,
    NeighbourCounts,
    at_cls,
    batches,
    class_accuracy,
    fill_in_accuracy,
    fine_tune,
    layer_features,
    mask_tokens,
    masked_lm_loss,
    mean_of_words,
    pretrain_bert,
    probe,
    sentences_in,
    vocabulary_of,
)

VOCABULARY = [*SPECIAL, "the", "cat", "dog", "sat", "on", "mat", "a"]
TEXTS = ["the cat sat on the mat", "a dog sat", "the dog sat on a zebra"]


@pytest.fixture
def tokens():
    return read_sentences(TEXTS, VOCABULARY)


def small(causal=False, **shape):
    torch.manual_seed(0)
    return BERT(BERTConfig(len(VOCABULARY), 10, 2, 2, 8, causal=causal, **shape)).eval()


# ---------------------------------------------------------------- sentences


def test_sentences_by_hand(tokens):
    the, cat, dog, sat, on, mat, a = range(5, 12)
    assert tokens.tolist() == [
        [CLS, the, cat, sat, on, the, mat, SEP],
        [CLS, a, dog, sat, SEP, PAD, PAD, PAD],
        [CLS, the, dog, sat, on, a, UNK, SEP],
    ]


def test_a_sentence_cannot_speak_for_the_special_tokens():
    assert read_sentences(["[MASK] the [CLS]"], VOCABULARY).tolist() == [[CLS, UNK, 5, UNK, SEP]]


def test_a_text_without_words_is_refused():
    with pytest.raises(ValueError, match="has no words"):
        read_sentences(["..."], VOCABULARY)


def test_the_vocabulary_is_by_frequency_and_without_what_occurs_once():
    sentences = ["b a a a", "c b c once"]
    assert vocabulary_of(sentences, 100) == [*SPECIAL, "a", "b", "c"]
    assert vocabulary_of(sentences, 7) == [*SPECIAL, "a", "b"]


def test_sentences_of_a_text():
    text = "One two three four. Too short. And\none more here!\n\nOne two, three: FOUR five six seven"
    assert sentences_in([text, text]) == ["and one more here", "four five six seven", "one two three four"]


def test_nothing_that_validates_is_learned_from():
    text = pretraining.corpus()
    labelled = sentences_in(pretraining.data.docstrings().validation_texts)
    assert len(text.train) > 4000 and len(text.validation) > 250
    assert not set(text.train) & {*text.validation, *labelled}
    assert len(set(text.train)) == len(text.train)


# ---------------------------------------------------------------- the model


@pytest.mark.parametrize("causal", [False, True])
def test_equal_to_torchs_encoder(tokens, causal):
    model = small(causal)
    layer = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8), enable_nested_tensor=False).eval()
    theirs.load_state_dict(model.encoder.state_dict())
    padding = torch.zeros(tokens.shape).masked_fill(tokens == PAD, -torch.inf)
    expected = theirs(model.embedding(tokens), model.mask(tokens), padding)
    words = tokens != PAD
    torch.testing.assert_close(model.read(tokens)[words], expected[words])
    hidden = F.layer_norm(F.gelu(model.transform[0](expected)), (8,))
    torch.testing.assert_close(model(tokens)[words], (hidden @ model.embedding.weight.T + model.bias)[words])


def test_the_head_shares_the_embeddings():
    model = small()
    assert [name for name, p in model.named_parameters() if p.shape == (len(VOCABULARY), 8)] == ["embedding.weight"]


def test_every_distance_has_its_number_in_every_head(tokens):
    model = small()
    mask = model.mask(tokens[:2])
    assert mask.shape == (4, 8, 8) and torch.equal(mask[0], mask[2])
    for query, key in [(0, 0), (3, 1), (1, 7)]:
        assert mask[1, query, key] == model.liking[1, key - query + 9]


def test_a_head_starts_out_fond_of_one_neighbour():
    def favourites(causal):
        liking = BERT(BERTConfig(20, context=9, heads=4, channels=8, causal=causal)).liking
        assert liking[:2].amax(dim=1).eq(0).all() and not liking[2:].any()  # the others like all places equally
        return (liking[:2].argmax(dim=1) - 8).tolist()

    assert favourites(False) == [-1, 1] and favourites(True) == [-1, -2]


@pytest.mark.parametrize("causal", [False, True])
def test_what_a_causal_one_cannot_see(causal):
    model = small(causal)
    tokens = read_sentences(["the cat sat on the mat"], VOCABULARY)
    other = tokens.clone()
    other[0, 4] = 11
    changed = (model(tokens) != model(other)).any(dim=-1)[0]
    assert changed.tolist() == ([False] * 4 + [True] * 4 if causal else [True] * 8)
    assert model.mask(tokens).isinf().equal(causal_mask(8).expand(2, 8, 8) & causal)


def test_both_kinds_have_as_many_parameters():
    counts = [sum(p.numel() for p in small(causal).parameters()) for causal in (False, True)]
    assert counts[0] == counts[1]


def test_padding_has_no_effect(tokens):
    model = small()
    alone = model(read_sentences(TEXTS[1:2], VOCABULARY))
    torch.testing.assert_close(model(tokens)[1:2, :5], alone)


def test_layers_start_with_different_weights():
    one, two = small().encoder.layers
    assert not torch.equal(one.linear1.weight, two.linear1.weight)


def test_too_long_a_sentence_is_refused():
    with pytest.raises(ValueError, match="has 11 tokens; this BERT reads at most 10 .* Pass a shorter one"):
        small()(torch.full((1, 11), 5))


def test_attention_can_be_looked_at(tokens):
    """The explorer takes it apart with the masks of the model."""
    model = small(causal=True)
    weights = encoder_attention(model.encoder, model.embedding(tokens), tokens == PAD)
    assert weights.shape == (2, 3, 2, 8, 8)


# ---------------------------------------------------------------- masking


def many(seed=0, share=0.15, **kinds):
    tokens = torch.randint(5, 1000, (400, 50), generator=torch.Generator().manual_seed(1))
    tokens[:, 0], tokens[:, 10], tokens[:, -1] = CLS, UNK, PAD
    return tokens, *mask_tokens(tokens, 1000, torch.Generator().manual_seed(seed), share, **kinds)


def test_the_share_of_words_that_are_asked_for_and_what_becomes_of_them():
    tokens, inputs, targets = many()
    asked = targets != IGNORED
    words = tokens > MASK
    assert asked[words].float().mean().item() == pytest.approx(0.15, abs=0.01)
    kinds = inputs[asked] == MASK, inputs[asked] == tokens[asked]
    assert kinds[0].float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert kinds[1].float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(targets[asked], tokens[asked]) and torch.equal(inputs[~asked], tokens[~asked])
    assert not asked[~words].any() and (inputs[asked] >= MASK).all()


def test_all_masked_all_random_all_kept():
    tokens, inputs, targets = many(masked=1.0, random=0.0)
    assert (inputs[targets != IGNORED] == MASK).all()
    tokens, inputs, targets = many(masked=0.0, random=1.0)
    assert (inputs != MASK).all() and (inputs != tokens)[targets != IGNORED].float().mean() > 0.99
    tokens, inputs, targets = many(masked=0.0, random=0.0)
    assert torch.equal(inputs, tokens)


def test_a_seed_masks_the_same_and_another_one_other_words():
    assert torch.equal(many(0)[1], many(0)[1]) and not torch.equal(many(0)[1], many(1)[1])


@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_a_share_that_is_none(tokens, share):
    with pytest.raises(ValueError, match=f"share is {share}; it is the share .* 0.15 is usual"):
        mask_tokens(tokens, 12, torch.Generator(), share)


@pytest.mark.parametrize("kinds", [(0.8, 0.3), (-0.1, 0.1), (0.5, -0.2)])
def test_kinds_that_are_no_shares(tokens, kinds):
    with pytest.raises(ValueError, match="together at most 1. BERT takes 0.8 and 0.1"):
        mask_tokens(tokens, 12, torch.Generator(), 0.15, *kinds)


def test_the_loss_equals_torchs(tokens):
    model = small()
    inputs, targets = mask_tokens(tokens, 12, torch.Generator().manual_seed(3), 0.5)
    expected = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(masked_lm_loss(model, inputs, targets), expected)


def test_where_nothing_is_asked_the_loss_is_0(tokens):
    assert masked_lm_loss(small(), tokens, torch.full_like(tokens, IGNORED)) == 0


# ---------------------------------------------------------------- training


def test_batches_hold_every_sentence_once_and_hardly_any_padding():
    lengths = torch.randint(4, 30, (100,), generator=torch.Generator().manual_seed(0))
    tokens = torch.where(torch.arange(32) < lengths[:, None], torch.arange(100)[:, None] + 5, PAD)
    supply = batches(tokens, 8, torch.Generator().manual_seed(0))
    first = [next(supply) for _ in range(13)]
    assert sorted(row for batch in first for row in batch[:, 0].tolist()) == list(range(5, 105))
    assert sum((batch == PAD).sum().item() for batch in first) < 0.15 * sum(batch.numel() for batch in first)
    assert all((batch[:, -1] != PAD).any() for batch in first)


def test_it_learns_to_fill_in(tokens):
    model, losses = small(), []
    before = fill_in_accuracy(model, tokens)
    settings = {"steps": 120, "share": 0.3, "warmup": 5}
    report = lambda step, loss: losses.append(loss)  # noqa: E731
    pretrain_bert(model, tokens, torch.Generator().manual_seed(0), report=report, **settings)
    assert len(losses) == 120 and fill_in_accuracy(model, tokens) > max(before, 70)


def test_fill_in_accuracy_equals_a_loop(tokens):
    model, right, count = small().train(), 0, 0
    model.eval()
    for row in tokens:
        for place in (row > MASK).nonzero().flatten().tolist():
            hidden = row[row != PAD][None].clone()
            hidden[0, place] = MASK
            right += (model(hidden)[0, place].argmax() == row[place]).item()
            count += 1
    model.train()
    assert fill_in_accuracy(model, tokens, batch_size=4) == pytest.approx(100 * right / count)
    assert model.training


def test_counting_neighbours_by_hand():
    texts = ["the cat sat", "the cat sat", "the dog sat", "the cat sat on the mat", "sat", "sat"]
    learned = read_sentences(texts, VOCABULARY)
    counts = NeighbourCounts(learned)
    new = read_sentences(["the dog sat", "on the mat"], VOCABULARY)
    # wrong are dog, since cat stood more often between the and sat, and on: behind [CLS] mostly comes the
    assert counts.accuracy(new, "both") == pytest.approx(100 * 4 / 6)
    assert counts.accuracy(new, "none") == pytest.approx(100 * 1 / 6)  # sat is the most frequent of all
    assert counts.accuracy(new, "left") == pytest.approx(100 * 3 / 6)  # the, sat, the


def test_fine_tuning_leaves_the_bert_as_it_was_and_learns(tokens):
    model = small()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    labels = torch.tensor([0, 1, 1])
    tuned = fine_tune(model, tokens, labels, 2, torch.Generator().manual_seed(0), steps=30, lr=1e-2)
    assert isinstance(tuned, BERTClassifier) and not tuned.training and class_accuracy(tuned, tokens, labels) == 100
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert not torch.equal(tuned.bert.embedding.weight, model.embedding.weight)


def test_the_classifier_reads_what_stands_at_cls(tokens):
    model = BERTClassifier(small(), 3)
    torch.testing.assert_close(model(tokens), model.head(model.bert.read(tokens)[:, 0]))


def test_a_label_that_is_no_class(tokens):
    with pytest.raises(ValueError, match="2 is no class: labels must be 0 to 1"):
        fine_tune(small(), tokens, torch.tensor([0, 1, 2]), 2, torch.Generator())


def test_features_of_every_layer(tokens):
    model = small()
    features = layer_features(model, tokens, at_cls)
    assert features.shape == (3, 3, 8) and not features.requires_grad
    assert torch.equal(features[0], model.embedding.weight[CLS].expand(3, 8))
    torch.testing.assert_close(model.encoder.norm(features[-1]), model.read(tokens)[:, 0])
    mean = layer_features(model, tokens, mean_of_words)[0]
    torch.testing.assert_close(mean[1], model.embedding.weight[[11, 7, 8]].mean(dim=0))
    torch.testing.assert_close(mean[2], model.embedding.weight[[5, 7, 8, 9, 11]].mean(dim=0))  # without [UNK]


def test_a_probe_finds_what_a_line_can_find():
    features = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    labels = (features[:, 1] > 0).long()
    assert probe(features[:200], labels[:200], features[200:], labels[200:]) > 90
    xor = (features[:, 1] * features[:, 2] > 0).long()
    assert probe(features[:200], xor[:200], features[200:], xor[200:]) < 75


# ---------------------------------------------------------------- the one in data/

ABOUT = json.loads((recipes.FOLDER / "bert.json").read_text(encoding="utf-8"))
SMALL = {"context": 32, "layers": 1, "heads": 2, "channels": 8, "dropout": 0.0}
BRIEF = pretraining.RECIPE | {"steps": 20, "batch_size": 8, "warmup": 4}
CATS = Corpus(["the cat sat on the mat", "the dog sat on the cat", "a dog sat on the mat"], ["the dog sat on the mat"])


@pytest.fixture(scope="module")
def shipped():
    return pretraining.load_bert()


def test_the_score_is_what_the_recipe_says(shipped):
    """The texts of Python's versions differ a little."""
    model, vocabulary = shipped
    tokens = read_sentences(pretraining.corpus().validation, vocabulary)
    assert fill_in_accuracy(model, tokens) == pytest.approx(ABOUT["fill_in_accuracy"], abs=1.0)


def test_the_files_are_small_and_say_how_they_were_made(shipped):
    model, vocabulary = shipped
    assert (recipes.FOLDER / "bert.safetensors").stat().st_size <= 4_000_000
    assert ABOUT["recipe"] == pretraining.RECIPE and tuple(vocabulary[:5]) == SPECIAL
    assert ABOUT["shape"] == pretraining.SHAPE | {"vocabulary_size": len(vocabulary), "causal": False}
    assert not model.training and all(p.dtype == torch.float32 for p in model.parameters())


def test_loading_leaves_the_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    pretraining.load_bert()
    assert torch.equal(torch.rand(3), expected)


def test_the_recipe_on_a_small_scale(tmp_path):
    losses = []
    trained = [
        pretraining.train_bert(CATS.train, SMALL, BRIEF, lambda step, loss: losses.append(loss)) for _ in range(2)
    ]
    (model, vocabulary), (twin, _) = trained
    assert len(losses) == 40 and losses[:20] == losses[20:] and losses[19] < losses[0]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    accuracy = pretraining.save_bert(model, vocabulary, CATS, BRIEF, tmp_path)
    again, same = pretraining.load_bert(tmp_path)
    tokens = read_sentences(CATS.validation, same)
    assert same == vocabulary and torch.equal(again(tokens), model(tokens))
    assert (
        accuracy
        == fill_in_accuracy(again, tokens)
        == json.loads((tmp_path / "bert.json").read_text())["fill_in_accuracy"]
    )


def test_the_command_says_how_long_it_takes(tmp_path, monkeypatch, capsys):
    for name, value in {
        "FOLDER": tmp_path,
        "SHAPE": SMALL,
        "RECIPE": BRIEF | {"steps": 100},
        "corpus": lambda **_: CATS,
    }.items():
        monkeypatch.setattr(pretraining, name, value)
    threads = torch.get_num_threads()
    try:
        assert recipes.main(["bert"]) == 0
    finally:
        torch.set_num_threads(threads)
    assert "step 100 of 100: training loss" in (out := capsys.readouterr().out) and "0.0 minutes left" in out
    assert pretraining.load_bert(tmp_path)[0].config.channels == 8


def test_a_recipe_that_is_none(capsys):
    assert recipes.main(["cake"]) == 2
    assert "There is no recipe 'cake'. The recipes are: gpt, bert, dalle" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path):
    for name in ("bert.json", "bert.safetensors"):
        shutil.copy(recipes.FOLDER / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["bert.json", "bert.safetensors"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"There is no '{name}'. Put back both files"):
        pretraining.load_bert(folder)


def cut_short(folder):
    path = folder / "bert.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def cut_json(folder):
    (folder / "bert.json").write_text('{"shape": ')


def no_shape(folder):
    (folder / "bert.json").write_text("{}")


def a_list(folder):
    (folder / "bert.json").write_text("[]")


def other_shape(folder):
    (folder / "bert.json").write_text(json.dumps(ABOUT | {"shape": ABOUT["shape"] | {"channels": 64}}))


def a_word_less(folder):
    (folder / "bert.json").write_text(json.dumps(ABOUT | {"vocabulary": ABOUT["vocabulary"][:-1]}))


def a_weight_less(folder):
    weights = load_file(folder / "bert.safetensors")
    weights.pop("liking")
    save_file(weights, folder / "bert.safetensors")


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def a_pickle(folder):
    (folder / "bert.safetensors").write_bytes(pickle.dumps(Bomb()))


DAMAGES = [cut_short, cut_json, no_shape, a_list, other_shape, a_word_less, a_weight_less, a_pickle]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file(folder, damage):
    damage(folder)
    with pytest.raises(ValueError, match="(?s)damaged, or not of one model .*Put back both files"):
        pretraining.load_bert(folder)
