"""The GPT that comes with the course: its loss measured again, its recipe on a small scale, and every damaged file."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from bmcourse import data, recipes
from bmcourse.data import Text
from bmcourse.training import evaluate

ABOUT = json.loads((recipes.FOLDER / "gpt.json").read_text(encoding="utf-8"))
SMALL = {"context": 16, "layers": 1, "heads": 2, "channels": 16, "dropout": 0.1}
BRIEF = recipes.RECIPE | {"vocabulary_size": 270, "steps": 40, "warmup": 4, "adamw_lr": 0.02}
TEXT = Text("cats", "the cat sat on the mat, and the dog sat too. " * 40, "the dog sat on the cat. " * 20)


@pytest.fixture(scope="module")
def shipped():
    return recipes.load_gpt()


def test_the_loss_is_what_the_recipe_says(shipped):
    """The texts of Python 3.10 to 3.13 differ by less than 0.001 bits, and processors by far less than that."""
    measured = recipes.measure(*shipped, data.python_docs().validation)
    assert measured["bits_a_character"] == pytest.approx(ABOUT["validation"]["bits_a_character"], abs=0.01)


def test_the_files_are_small_and_say_how_they_were_made(shipped):
    model, tokenizer = shipped
    assert (recipes.FOLDER / "gpt.safetensors").stat().st_size <= 4_000_000
    assert ABOUT["recipe"] == recipes.RECIPE
    assert ABOUT["shape"] == recipes.SHAPE | {"vocabulary_size": tokenizer.vocabulary_size}
    assert not model.training and all(p.dtype == torch.float32 for p in model.parameters())
    assert tokenizer.decode(tokenizer.encode("Ünïcode 猫")) == "Ünïcode 猫"


def test_loading_leaves_the_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    recipes.load_gpt()
    assert torch.equal(torch.rand(3), expected)


def test_bits_a_character_by_hand(shipped):
    model, tokenizer = shipped
    text = "The for statement is used to iterate over the elements of a sequence. " * 40
    ids = torch.tensor(tokenizer.encode(text))
    measured = recipes.measure(model, tokenizer, text)
    assert measured["nats_a_token"] == evaluate(model, ids, 128)
    total_bits = measured["nats_a_token"] * len(ids) / torch.log(torch.tensor(2.0)).item()
    assert measured["bits_a_character"] == pytest.approx(total_bits / len(text))


def test_the_recipe_on_a_small_scale(tmp_path):
    losses = []
    model, tokenizer = recipes.train_gpt(TEXT, SMALL, BRIEF, lambda step, model, loss: losses.append(loss))
    assert len(losses) == 40 and losses[-1] < 0.8 * losses[0]
    recipes.save_gpt(model, tokenizer, TEXT, BRIEF, tmp_path)
    again, same_tokenizer = recipes.load_gpt(tmp_path)
    ids = torch.tensor(same_tokenizer.encode(TEXT.validation))[None, :16]
    assert torch.equal(again(ids), model(ids))
    about = json.loads((tmp_path / "gpt.json").read_text())
    assert about["validation"] == recipes.measure(again, same_tokenizer, TEXT.validation)


def test_the_recipe_gives_the_same_model_again():
    one, two = (recipes.train_gpt(TEXT, SMALL, BRIEF, lambda *_: None)[0] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_the_command_says_how_long_it_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipes, "FOLDER", tmp_path)
    monkeypatch.setattr(recipes, "SHAPE", SMALL)
    monkeypatch.setattr(recipes, "RECIPE", BRIEF | {"steps": 100})
    monkeypatch.setattr(data, "python_docs", lambda: TEXT)
    threads = torch.get_num_threads()
    try:
        assert recipes.main([]) == 0
    finally:
        torch.set_num_threads(threads)
    assert "step 100 of 100: training loss" in (out := capsys.readouterr().out) and "0.0 minutes left" in out
    assert recipes.load_gpt(tmp_path)[0].config.channels == 16


@pytest.fixture
def folder(tmp_path):
    for name in ("gpt.json", "gpt.safetensors"):
        shutil.copy(recipes.FOLDER / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["gpt.json", "gpt.safetensors"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"There is no '{name}'. Put back both files"):
        recipes.load_gpt(folder)


def cut_short(folder):
    path = folder / "gpt.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def cut_json(folder):
    (folder / "gpt.json").write_text('{"shape": ')


def no_shape(folder):
    (folder / "gpt.json").write_text("{}")


def a_list(folder):
    (folder / "gpt.json").write_text("[]")


def other_shape(folder):
    (folder / "gpt.json").write_text(json.dumps(ABOUT | {"shape": ABOUT["shape"] | {"channels": 64}}))


def other_merges(folder):
    (folder / "gpt.json").write_text(json.dumps(ABOUT | {"merges": ABOUT["merges"][:-1]}))


def a_weight_less(folder):
    weights = load_file(folder / "gpt.safetensors")
    weights.pop("norm.bias")
    save_file(weights, folder / "gpt.safetensors")


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def a_pickle(folder):
    (folder / "gpt.safetensors").write_bytes(pickle.dumps(Bomb()))


DAMAGES = [cut_short, cut_json, no_shape, a_list, other_shape, other_merges, a_weight_less, a_pickle]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file(folder, damage):
    damage(folder)
    with pytest.raises(ValueError, match="(?s)damaged, or not of one model .*Put back both files"):
        recipes.load_gpt(folder)
