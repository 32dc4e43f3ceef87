"""Predictions against labels: match, then measure; every result a frame."""

from .evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
