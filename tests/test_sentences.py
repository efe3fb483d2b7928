"""The classifier of sentences: how words become numbers, what padding may not do, and that it learns."""

import pytest
import torch
import torch.nn.functional as F

from bmcourse.explain.attention import encoder_attention
from bmcourse.models.sentences import PADDING, SentenceClassifier, number_words


@pytest.fixture
def model():
    torch.manual_seed(0)
    return SentenceClassifier(vocabulary_size=20, classes=3, channels=8, heads=2).eval()


def test_words_become_numbers():
    tokens = number_words(["Open the FILE!", "file unheard_of"], ["the", "file", "open"])
    assert tokens.tolist() == [[4, 2, 3], [3, 1, 0]]


def test_chinese_text_needs_another_split():
    assert number_words(["大模型", "模型"], ["模", "型"], split=list).tolist() == [[1, 2, 3], [2, 3, 0]]


@pytest.mark.parametrize("text", ["", "  ", "?!"])
def test_a_text_without_words(text):
    with pytest.raises(ValueError, match="has no words. Pass at least one, or another `split`"):
        number_words(["fine", text], ["fine"])


def test_padding_changes_nothing(model):
    tokens = torch.tensor([[5, 6, 7]])
    padded = F.pad(tokens, [0, 4], value=PADDING)
    torch.testing.assert_close(model(padded), model(tokens))
    assert not torch.allclose(model(tokens), model(torch.tensor([[5, 6, 8]])))
    assert not torch.allclose(model(tokens), model(torch.tensor([[6, 5, 7]])))


def test_reading_vectors_is_reading_tokens(model):
    tokens = torch.tensor([[5, 6, 7], [8, 9, 0]])
    torch.testing.assert_close(model.read(model.embedding(tokens), tokens == PADDING), model(tokens))
    torch.testing.assert_close(model.read(model.embedding(tokens[:1])), model(tokens[:1]))


def test_its_attention_can_be_looked_at(model):
    weights = encoder_attention(model.encoder, model.ask(model.embedding(torch.tensor([[5, 6, 7]]))))
    assert weights.shape == (1, 1, 2, 4, 4)  # the question and three words


def test_it_learns_what_a_sentence_is_about():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, 20, (200, 6), generator=generator)
    labels = torch.randint(3, (200,), generator=generator)
    tokens[torch.arange(200), torch.randint(6, (200,), generator=generator)] = 2 + labels  # one word says it
    model = SentenceClassifier(vocabulary_size=20, classes=3, channels=8, heads=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        loss = F.cross_entropy(model(tokens[:100]), labels[:100])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(tokens[100:]).argmax(1) == labels[100:]).float().mean() > 0.9
