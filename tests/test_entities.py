"""Every thing is declared once; errors have names, words, and survive a trip to another process."""

from __future__ import annotations

import copy
import pickle
import string

import numpy as np
import pandas as pd
import pytest

from hastyframe import entities, errors
from hastyframe.entities import ENTITIES, Entity, Field, Kind
from hastyframe.errors import BatchError, FrameError, HastyError, Problem


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_declaration_is_complete(entity):
    fields = entity.fields()
    assert fields
    assert entity.__doc__
    assert entity.id_name.endswith("_id")
    for name, field in fields.items():
        assert field.name == name
        assert field.__doc__, f"{entity.__name__}.{name} says nothing"
        assert getattr(entity, name) is field
        if field.derived:
            assert name.removesuffix("_name") + "_id" in fields, "a derived name is looked up by the id beside it"


@pytest.mark.parametrize("entity", [entity for entity in ENTITIES if entity is not entities.Prediction])
def test_paths_can_be_filled_in(entity):
    names = {name for _, name, _, _ in string.Formatter().parse(entity.path) if name}
    assert names <= {"project_id", "image_id", "label_id"}
    assert entity.path.startswith("/v1/")


def test_plurals_and_ids_are_unique():
    assert len({entity.plural for entity in ENTITIES}) == len(ENTITIES)
    assert len({entity.id_name for entity in ENTITIES}) == len(ENTITIES)


def test_fields_are_read_only_properties():
    label_class = entities.LabelClass({"id": "c", "name": "cat", "type": "object", "more": 1})
    assert (label_class.id, label_class.class_type, label_class.color) == ("c", "object", None)
    with pytest.raises(AttributeError, match="methods of LabelClass"):
        label_class.name = "dog"
    assert repr(label_class) == "LabelClass(id='c', name='cat', class_type='object')"


def test_a_derived_field_is_a_column_alone():
    label = entities.Label({"id": "l", "class_id": "c"})
    with pytest.raises(AttributeError, match="column of frames"):
        label.class_name  # noqa: B018
    assert "class_name" not in repr(label)


def test_fields_of_parents_come_first():
    class Thing(Entity):
        """A thing."""

        id = Field[str](Kind.TEXT, "Id.")

    class Better(Thing):
        """A better thing."""

        name = Field[str](Kind.TEXT, "Name.", key="title")

    assert list(Better.fields()) == ["id", "name"]
    assert Better({"title": "x"}).name == "x"
    assert "name: text" in repr(Better.name)


def test_an_entity_does_not_share_the_data_it_was_made_of():
    data = {"id": "a"}
    thing = entities.Tag(data)
    data["id"] = "b"
    assert thing.id == "a"


# Errors ---------------------------------------------------------------------------------------------------------------

REPORT = pd.DataFrame({"outcome": ["done"]})
OF_THEIR_OWN = ("BatchError", "FormatError", "FrameError", "ReadError", "SizeLimitError")
KINDS = [getattr(errors, name) for name in errors.__all__ if name not in OF_THEIR_OWN]
EVERY = [
    *(kind("what", request="GET /v1/x", status=404) for kind in KINDS if issubclass(kind, errors.HastyError)),
    errors.ReadError("what", REPORT, REPORT),
    errors.SizeLimitError("a.png", "9 pixels", "pixels", 4),
    errors.FormatError("a.json", "images[3]", "It has no id", "Give it one"),
    FrameError([Problem("mask", 3, [1], "Longer.")]),
    BatchError("what", REPORT),
]  # fmt: skip


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("trip", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_errors_survive_a_trip_to_another_process(error, trip):
    again = trip(error)
    assert (type(again), str(again), again.args) == (type(error), str(error), error.args)
    assert (again.request, again.status) == (error.request, error.status)
    if isinstance(error, FrameError):
        pd.testing.assert_frame_equal(again.problems, error.problems)
    if isinstance(error, BatchError):
        pd.testing.assert_frame_equal(again.report, REPORT)


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_every_error_is_a_hasty_error(error):
    assert isinstance(error, HastyError)
    assert type(error).__doc__


def test_errors_are_what_python_calls_them():
    assert issubclass(errors.ValidationException, ValueError)
    assert issubclass(errors.LimitExceededException, errors.ValidationException)
    assert issubclass(errors.ConnectionFailed, ConnectionError)
    assert issubclass(errors.RequestTimeout, TimeoutError)
    assert issubclass(errors.NotFound, LookupError)
    assert not issubclass(errors.NotFound, KeyError), "its text would be shown as a repr"


def test_a_frame_error_reads_well():
    error = FrameError([Problem("bbox", np.int64(3), [4.0, 0.0, 2.0, 1.0], "x_max must be greater than x_min.")])
    assert str(error) == (
        "1 problem in the frame, nothing was sent:\n"
        "  bbox, row 3: [4.0, 0.0, 2.0, 1.0]. x_max must be greater than x_min."
    )


def test_a_frame_error_of_many_rows_is_short_and_has_them_all():
    error = FrameError(Problem("mask", row, list(range(1000)), "Shorter.") for row in range(1200))
    assert str(error).startswith("1,200 problems in the frame")
    assert len(str(error)) < 1000
    assert "1,195 more" in str(error)
    assert error.problems.shape == (1200, 4)
    assert list(error.problems.columns) == ["column", "row", "value", "remedy"]
    assert error.problems["row"].tolist() == list(range(1200))
