"""What a check sees and says beside right and wrong: relations, gradients, what is left behind, what a library did."""

import dataclasses
import linecache

import pytest
import torch

from bmcourse import exercises
from bmcourse.exercises import core, progress
from bmcourse.exercises.checklists import forgotten, uncommon
from bmcourse.exercises.core import Exercise, Known
from bmcourse.exercises.judging import FAILED, OPEN, PASSED, assess, called, sandboxed
from bmcourse.exercises.relations import relation
from tests.toys import MSE, answer, summed

TABLES = [torch.tensor([[1.0, 2.0, 4.0], [0.5, 3.0, 9.0]]), torch.tensor([[7.0, 0.25, 1.0]])]
INPUTS = [{"x": table + 10, "n": table.numel()} for table in TABLES]


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (lambda right: right * 2, "is 2 times what was expected, on every input."),
        (lambda right: right / 3, "is 1/3 times what was expected, on every input."),
        (lambda right: right * right.numel(), "is 6 times what was expected, and the number of elements of `x` is 6"),
        (lambda right: right / right.numel(), "is 1/6 of what was expected, and the number of elements of `x` is 6"),
        (lambda right: right + 1, "is too large by 1, on every input."),
        (lambda right: -right, "has the wrong sign, everywhere."),
        (lambda right: right**0.5, "is the square root of what was expected."),
        (lambda right: right.exp(), "is exp() of what was expected"),
        (lambda right: right.T, "is right but transposed"),
        (lambda right: right[None], "has the right numbers, and a dimension of size 1 too many in front."),
        (lambda right: right.mean(), "is one number, the mean of those that were expected."),
        (lambda right: right.flip(-1), "has each row reversed"),
        (lambda right: right.roll(1, -1), "is shifted in each row: an entry stands where the one after it should."),
        (lambda right: right + 10, "is the input `x` as it came."),
        (lambda right: right[:, :-1], ""),
        (lambda right: right + torch.arange(3), ""),
        (lambda right: right[:, [1, 0, 2]], "has the right numbers in the wrong places."),
    ],
)
def test_the_simplest_relation_is_told(wrong, sentence):
    told = relation(INPUTS, [wrong(table) for table in TABLES], TABLES)
    assert told.startswith(f"the result {sentence}" if sentence else "") and bool(told) == bool(sentence)


def test_a_relation_that_holds_on_one_input_only_is_not_told():
    assert relation(INPUTS, [TABLES[0] * 2, TABLES[1] * 3 + 1], TABLES) == ""


def test_a_relation_names_the_part_that_differs():
    right = [{"loss": 1.5, "rows": [torch.ones(2), table]} for table in TABLES]
    came = [{"loss": 1.5, "rows": [torch.ones(2), 5 * table]} for table in TABLES]
    assert (
        relation(INPUTS, came, right) == "item 1 of 'rows' of the result is 5 times what was expected, on every input."
    )


def test_a_list_of_numbers_and_what_is_opposite():
    assert relation([{}], [[2, 4, 6]], [[1, 2, 3]]) == "the result is 2 times what was expected, on every input."
    assert relation([{}], [torch.tensor([True, False])], [torch.tensor([False, True])]).endswith(
        "the opposite of what was expected."
    )
    assert relation([{}], ["text"], ["other"]) == relation([{}], [None], [1]) == ""


# Gradients.


def told(source, exercise=MSE):
    verdict = sandboxed(exercise, answer(source))
    return verdict.message


def test_a_gradient_that_is_cut_and_covered_up_is_found():
    plain = dataclasses.replace(MSE, mistakes=[])
    made_anew = "return ((prediction.detach() - target) ** 2).mean().requires_grad_(prediction.requires_grad)"
    assert told(made_anew, plain).startswith("The result is right, but no gradient reaches `prediction`")
    half = "return (prediction * prediction.detach() - 2 * prediction * target + target**2).mean()"
    assert told(half, plain).startswith(
        "The result is right, but its gradient with respect to `prediction` is wrong in 5"
    )


def test_a_gradient_where_none_should_flow_is_found():
    stopped = Exercise(
        reference=lambda prediction, target: (prediction - target.detach()).sum(),
        inputs=lambda: [(torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True))],
        prompt="",
    )
    verdict = assess(stopped, answer("return (prediction - target).sum()"))
    assert verdict.message.startswith("The result is right, but a gradient reaches `target`, where none should.")


# What is left behind.


@pytest.mark.parametrize(
    "act, complaint",
    [
        ("model.eval()", "left model, or a part of it, in another mode"),
        ("model[0].eval()", "left model, or a part of it, in another mode"),
        ("model[0].p = 0.0", "left model with other settings"),
        ("model[1].weight.data.zero_()", "changed its input model in place"),
        ("model[1].weight.requires_grad_(False)", "left model with another requires_grad"),
        ("model.register_forward_hook(lambda *_: None)", "left a hook in model"),
        ("torch.set_grad_enabled(False)", "left torch's gradients switched on or off"),
        ("x.requires_grad_()", "left x with another requires_grad"),
        ("x += 1; x -= 1", None),
        ("x += 1", "changed its input x in place"),
        ("rows.append(1)", "changed its input rows in place"),
    ],
)
def test_what_an_answer_leaves_behind_is_told_also_where_run_makes_the_inputs(act, complaint):
    def with_a_model(answer, x):
        model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(2, 1))
        return answer(model, x.clone(), [1])

    def shape(model, x, rows):
        return list(x.shape)

    exercise = Exercise(reference=shape, prompt="", runner=with_a_model, inputs=lambda: [(torch.ones(3, 2),)])
    verdict = assess(exercise, answer(f"def shape(model, x, rows):\n    {act}\n    return [3, 2]", "shape"))
    if complaint is None:
        assert verdict.mark == PASSED
    else:
        assert verdict.mark == FAILED and complaint in verdict.message
    assert torch.is_grad_enabled()


# Other verdicts.


def test_none_is_told_where_run_makes_something_of_it():
    def rounded(answer, *case):
        return {"same": answer(*case) == 1}

    exercise = dataclasses.replace(MSE, runner=rounded, oracle=lambda *_: {"same": True}, mistakes=[])
    assert told("target", exercise) == "Your code gave back None. Is the `return` missing?"


def test_how_many_inputs_are_right_is_told():
    exercise = dataclasses.replace(
        MSE, mistakes=[], inputs=lambda: [(torch.ones(n), torch.zeros(n)) for n in (1, 2, 3)]
    )
    message = told("return ((prediction - target) ** 2).mean() + (len(target) == 3)", exercise)
    assert message.endswith("(Right on 2 of 3 inputs.)")


def test_numbers_that_look_alike_are_shown_where_they_differ():
    exercise = dataclasses.replace(MSE, mistakes=[], oracle=None)
    exercise = dataclasses.replace(exercise, reference=lambda prediction, target: torch.linspace(0, 1, 40))
    verdict = assess(exercise, answer("y = torch.linspace(0, 1, 40); y[30] += 1; return y"))
    assert "first at [30]: 1.769231 came, 0.7692308 was expected" in verdict.text()


def test_a_library_call_that_is_the_exercise_is_right_and_told_kindly():
    exercise = dataclasses.replace(MSE, built=("mse_loss", "MSELoss"))
    for source in (
        "return torch.nn.functional.mse_loss(prediction, target)",
        "return torch.nn.MSELoss()(prediction, target)",
    ):
        verdict = sandboxed(exercise, answer(source))
        assert verdict.mark == FAILED and verdict.message.startswith("Right, and a library did it for you: ")
    assert sandboxed(exercise, answer("return (prediction - target).square().mean()")).mark == PASSED


def test_the_names_that_an_answer_calls_include_those_of_inner_functions_and_bases():
    class Inner(torch.nn.Linear):
        def forward(self, x):
            return (lambda: torch.relu(x))()

    assert {"Linear", "relu"} <= called(Inner) and "Linear" not in called(test_how_many_inputs_are_right_is_told)


def test_a_whole_answer_with_the_stubs_last_line_left_is_no_stub():
    verdict = assess(MSE, answer("loss = ((prediction - target) ** 2).mean(); raise NotImplementedError"))
    assert verdict.mark == FAILED and verdict.message.startswith("One part is still to be written: line 2")
    assert assess(MSE, answer("raise NotImplementedError")).mark == OPEN


def test_a_wrong_value_is_known_by_its_values_alone_whatever_else_is_wrong():
    exercise = dataclasses.replace(MSE, mistakes=[Known("sum", "A sum.", lambda p, t: ((p - t) ** 2).sum())])
    assert told("return ((prediction - target) ** 2).sum().detach()", exercise) == "A sum."
    assert told("return ((prediction - target) ** 2).sum().item()", exercise) == "A sum."


def test_a_wrong_answer_is_told_again_in_a_fresh_python():
    """What was remembered of the known mistakes stays here: it could not be copied."""
    for _ in range(2):
        assert sandboxed(MSE, summed, fork=False).message == "You took the sum, not the mean."


# Checklists.


def test_what_no_case_tries_is_found_and_can_be_excused():
    assert ("prediction", "float64") in forgotten(MSE) and ("prediction", "a gradient is wanted") not in forgotten(MSE)
    excused = dataclasses.replace(MSE, untried={"prediction": {"float64": "why"}})
    assert ("prediction", "float64") not in forgotten(excused)


def test_uncommon_inputs_cover_three_points_at_once():
    x, index, word = uncommon(torch.randn(3, 2), torch.arange(4), "word")
    assert (x.dtype, x.is_contiguous(), x.requires_grad, x.is_leaf) == (torch.float64, False, True, True)
    assert not index.is_contiguous() and word == "word"


# The student's code is used.


@pytest.fixture
def course(monkeypatch, tmp_path):
    """Nobody's progress, and nothing passed."""
    monkeypatch.setenv("BMCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "_unsaved", None)
    monkeypatch.setattr(core, "_passed", {})


def cell(source, name, **names):
    """What a notebook's cell with this text defines."""
    file = f"<cell {len(linecache.cache)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names = {"torch": torch, **names}
    exec(compile(source, file, "exec"), names)
    return names[name]


RIGHT = "def causal_mask(T):\n    return torch.ones(T, T).tril() == {one}\n"


def test_the_course_lends_its_own_until_an_answer_passes(course, capsys):
    wrong = cell("def causal_mask(T):\n    return torch.ones(T, T).bool()\n", "causal_mask")
    exercises.check(wrong)
    lent = exercises.from_me(wrong)
    assert capsys.readouterr().out.endswith("causal_mask: the course's answer, until yours passes (lesson 04)\n")
    assert lent(2).tolist() == [[True, False], [True, True]]
    right = cell(RIGHT.format(one=1), "causal_mask")
    exercises.check(right)
    assert exercises.from_me("causal_mask") is right
    assert capsys.readouterr().out.endswith("causal_mask: your answer\n")


def test_an_answer_that_passed_is_used_in_the_next_notebook(course, capsys):
    exercises.check(cell(RIGHT.format(one=1), "causal_mask"))
    core._passed.clear()
    mine = exercises.from_me("causal_mask")
    assert mine(3).sum() == 6 and mine.__code__.co_filename == "<your causal_mask>"
    assert capsys.readouterr().out.endswith("causal_mask: your answer\n")


def test_an_answer_that_needs_its_own_notebook_is_lent_the_courses(course, capsys):
    exercises.check(cell(RIGHT.format(one="one"), "causal_mask", one=1))
    core._passed.clear()
    assert exercises.from_me("causal_mask") is core.find("causal_mask").reference
    assert capsys.readouterr().out.endswith("causal_mask: the course's answer, until yours passes (lesson 04)\n")
