"""The Hasty annotation platform as pandas DataFrames."""

from typing import TYPE_CHECKING, Any

from . import geometry, masks
from .client import Client
from .edits import Plan, Report
from .errors import (
    AuthenticationException,
    AuthorisationException,
    BatchError,
    ConnectionFailed,
    EvaluationWarning,
    FrameError,
    HastyError,
    InferenceException,
    InsufficientCredits,
    JobFailed,
    JournalError,
    LimitExceededException,
    NotFound,
    NotSent,
    OutcomeUnknown,
    PlanWarning,
    RateLimited,
    ReadError,
    RequestTimeout,
    ServerError,
    SizeLimitError,
    UnexpectedAnswer,
    ValidationException,
)
from .handles import Attribute, Dataset, Image, Label, LabelAttribute, LabelClass, Tag, TagClass, Workspace
from .jobs import AutomatedLabelingJob, ExportJob
from .labels import add_area, clip_to_image, find_duplicates, fit_boxes, flatten
from .limits import Limits
from .models import Attributer, Detector, InstanceSegmentor, SemanticSegmentor
from .project import Project

if TYPE_CHECKING:
    from .evaluation import Evaluation, SemanticEvaluation, evaluate, evaluate_semantic
    from .intake.predictions import as_labels, as_predictions
    from .io import (
        FormatError,
        FormatWarning,
        LabelSet,
        read_coco,
        read_coco_detections,
        read_hasty_json,
        read_parquet,
        read_semantic_png,
        read_voc,
        read_yolo,
    )

__version__ = "0.1.0"

__all__ = [
    "Attribute",
    "Attributer",
    "AuthenticationException",
    "AuthorisationException",
    "AutomatedLabelingJob",
    "BatchError",
    "Client",
    "ConnectionFailed",
    "Dataset",
    "Detector",
    "Evaluation",
    "EvaluationWarning",
    "ExportJob",
    "FormatError",
    "FormatWarning",
    "FrameError",
    "HastyError",
    "Image",
    "InferenceException",
    "InstanceSegmentor",
    "InsufficientCredits",
    "JobFailed",
    "JournalError",
    "Label",
    "LabelAttribute",
    "LabelClass",
    "LabelSet",
    "LimitExceededException",
    "Limits",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "Plan",
    "PlanWarning",
    "Project",
    "RateLimited",
    "ReadError",
    "Report",
    "RequestTimeout",
    "SemanticEvaluation",
    "SemanticSegmentor",
    "ServerError",
    "SizeLimitError",
    "Tag",
    "TagClass",
    "UnexpectedAnswer",
    "ValidationException",
    "Workspace",
    "add_area",
    "as_labels",
    "as_predictions",
    "clip_to_image",
    "evaluate",
    "evaluate_semantic",
    "find_duplicates",
    "fit_boxes",
    "flatten",
    "geometry",
    "masks",
    "read_coco",
    "read_coco_detections",
    "read_hasty_json",
    "read_parquet",
    "read_semantic_png",
    "read_voc",
    "read_yolo",
]

_INTAKE = {"as_labels", "as_predictions"}
_EVALUATION = {"Evaluation", "SemanticEvaluation", "evaluate", "evaluate_semantic"}


def __getattr__(name: str) -> Any:
    """Import formats, evaluation and plots when they are asked for: the import of the package would be slower."""
    from importlib import import_module

    if name in ("io", "plot"):
        return import_module({"io": ".io", "plot": ".plotting"}[name], __name__)
    if name in _INTAKE:
        return getattr(import_module(".intake.predictions", __name__), name)
    if name in _EVALUATION:
        return getattr(import_module(".evaluation", __name__), name)
    if name in __all__:
        return getattr(import_module(".io", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "plot"})
