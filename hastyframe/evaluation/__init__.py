"""Predictions against labels: match, then measure; every result a frame."""

from .evaluation import Evaluation, evaluate
from .semantic import SemanticEvaluation, evaluate_semantic

__all__ = ["Evaluation", "SemanticEvaluation", "evaluate", "evaluate_semantic"]
