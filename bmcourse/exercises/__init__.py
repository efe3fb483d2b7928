"""`check` judges an answer, `hint` helps in stages, `reveal` shows the answer, `predict` asks before a run."""

from bmcourse.exercises.core import check, hint, predict, reveal

__all__ = ["check", "hint", "predict", "reveal"]
