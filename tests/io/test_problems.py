"""Bad rows: all of them in one error, or left out and listed."""

from __future__ import annotations

import pickle

import pytest

import hastyframe.io as hio
from hastyframe.errors import ValidationException
from hastyframe.io._problems import Problems


def some(count: int, errors: str = "raise") -> Problems:
    problems = Problems(errors)
    for line in range(count):
        problems.add("a.txt", f"line {line + 1}", "it has 3 numbers")
    return problems


def test_nothing_wrong_is_no_error():
    some(0).throw()
    assert list(some(0).frame) == ["file", "place", "problem", "remedy"]


def test_one_bad_row_reads_as_any_error_of_a_file():
    with pytest.raises(hio.FormatError) as caught:
        some(1).throw()
    assert str(caught.value) == "a.txt, line 1: it has 3 numbers. Correct it or leave it out."
    assert len(caught.value.problems) == 1


def test_the_first_five_are_in_the_message_and_all_in_the_error():
    with pytest.raises(hio.FormatError) as caught:
        some(1200).throw()
    text = str(caught.value)
    assert text.startswith("1,200 problems, and nothing was read:\n  a.txt, line 1: it has 3 numbers.")
    assert "line 5:" in text and "line 6:" not in text and "and 1,195 more" in text and 'errors="skip"' in text
    assert caught.value.problems["place"].tolist() == [f"line {line + 1}" for line in range(1200)]
    assert (caught.value.file, caught.value.place) == ("a.txt", "line 1")


def test_the_error_crosses_processes_whole():
    with pytest.raises(hio.FormatError) as caught:
        some(7).throw()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.problems.equals(caught.value.problems)


def test_to_skip_is_to_list():
    problems = some(3, "skip")
    problems.throw()
    assert problems.skips and problems.frame["place"].tolist() == ["line 1", "line 2", "line 3"]


def test_only_errors_of_files_are_noted():
    problems = Problems("skip")
    with problems.noting():
        raise hio.FormatError("a.txt", "line 1", "no", "Yes")
    with pytest.raises(KeyError), problems.noting():
        raise KeyError("a mistake of the reader")
    assert len(problems) == 1


def test_another_word_is_refused():
    with pytest.raises(ValidationException, match='errors is "raise" or "skip", not \'ignore\''):
        Problems("ignore")


def test_a_label_set_says_what_was_left_out(small):
    assert len(small.skipped) == 0 and "skipped" not in repr(small)
    problems = some(2, "skip").frame
    less = hio.LabelSet(small.images, small.labels, small.label_classes, skipped=problems)
    assert repr(less).endswith("; 2 rows skipped")
    assert len(less.filter(labels=[]).skipped) == 2
    with pytest.warns(hio.FormatWarning, match="3 labels are equal"):
        assert len(small.merge(less).skipped) == 2
