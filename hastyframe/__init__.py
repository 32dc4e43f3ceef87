"""The Hasty annotation platform as pandas DataFrames."""

from . import masks
from .client import Client
from .errors import (
    AuthenticationException,
    AuthorisationException,
    BatchError,
    ConnectionFailed,
    FrameError,
    HastyError,
    InferenceException,
    InsufficientCredits,
    JobFailed,
    LimitExceededException,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RequestTimeout,
    ServerError,
    UnexpectedAnswer,
    ValidationException,
)
from .geometry import add_area, clip_to_image, find_duplicates, flatten
from .handles import Attribute, Dataset, Image, Label, LabelAttribute, LabelClass, Tag, TagClass, Workspace
from .jobs import AutomatedLabelingJob, ExportJob
from .models import Attributer, Detector, InstanceSegmentor, SemanticSegmentor
from .project import Project

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
    "ExportJob",
    "FrameError",
    "HastyError",
    "Image",
    "InferenceException",
    "InstanceSegmentor",
    "InsufficientCredits",
    "JobFailed",
    "Label",
    "LabelAttribute",
    "LabelClass",
    "LimitExceededException",
    "NotFound",
    "OutcomeUnknown",
    "Project",
    "RateLimited",
    "RequestTimeout",
    "SemanticSegmentor",
    "ServerError",
    "Tag",
    "TagClass",
    "UnexpectedAnswer",
    "ValidationException",
    "Workspace",
    "add_area",
    "clip_to_image",
    "find_duplicates",
    "flatten",
    "masks",
]
