"""What users hold, as frames of our schema: frames of any library, and the results of models."""

from .frames import as_pandas, by_id, frame_of, takes_frames, without_boxes

__all__ = ["as_pandas", "by_id", "frame_of", "takes_frames", "without_boxes"]
