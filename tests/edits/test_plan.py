"""What a plan finds, shows and refuses, and what becomes of it on a real server that behaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make_images, make_labels

import hastyframe as hf
from hastyframe import frames
from hastyframe.edits import compare, identities
from hastyframe.entities import Label

# Comparing ------------------------------------------------------------------------------------------------------------

NUMBER = st.sampled_from([0.0, 1.0, 2.5, None])
RECORD = st.fixed_dictionaries(
    {
        "image_id": st.sampled_from("ab"),
        "class_id": st.sampled_from(["c", "d", None]),
        "bbox": st.none() | st.lists(st.integers(0, 2), min_size=4, max_size=4),
        "polygon": st.none() | st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)).map(list), max_size=3),
        "mask": st.none() | st.lists(st.integers(1, 3), max_size=4),
        "z_index": NUMBER,
        "external_id": st.none() | st.text("xy", max_size=1),
    }
)
COLUMNS = ["image_id", "class_id", *frames.BOX, "polygon", "mask", "z_index", "external_id"]
KEYS = {**{name: name for name in COLUMNS}, **dict.fromkeys(frames.BOX, "bbox")}


def frame_of(records: dict[str, dict]) -> pd.DataFrame:
    return frames.from_records(Label, [{"id": key, **record} for key, record in records.items()])


@settings(max_examples=150, deadline=None)
@given(
    before=st.dictionaries(st.sampled_from("0123456789"), RECORD, max_size=8),
    edits=st.dictionaries(st.sampled_from("0123456789"), RECORD, max_size=6),
    gone=st.sets(st.sampled_from("0123456789")),
    seed=st.integers(0, 99),
    block=st.integers(1, 4),
)
def test_a_difference_is_that_of_the_records(before, edits, gone, seed, block):
    after = {key: record for key, record in {**before, **edits}.items() if key not in gone}
    keys = np.random.default_rng(seed).permutation(list(after)).tolist()
    one, other = frame_of(before), frame_of({key: after[key] for key in keys})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hastyframe.edits.diff._ROWS_AT_ONCE", block)
        found = compare(one, other, identities(one.index), identities(other.index), COLUMNS)
    assert set(other.index[found.new]) == after.keys() - before.keys()
    assert set(one.index[found.gone]) == before.keys() - after.keys()
    changed = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert one.index[found.was].tolist() == other.index[found.now].tolist()
    assert set(one.index[found.was]) == changed
    for column in COLUMNS:
        is_ = [_value(before[key], column) != _value(after[key], column) for key in one.index[found.was]]
        assert found.changed[column].tolist() == is_, column


def _value(record: dict, column: str):
    value = record[KEYS[column]]
    return value if column not in frames.BOX or value is None else value[frames.BOX.index(column)]


def test_categories_are_compared_by_what_they_say():
    one = pd.DataFrame({"c": pd.Categorical(["a", "b", None, "a"], categories=["a", "b"])}, index=list("wxyz"))
    other = pd.DataFrame({"c": pd.Categorical(["a", "n", None, "b"], categories=["n", "b", "a"])}, index=list("wxyz"))
    found = compare(one, other, identities(one.index), identities(other.index), ["c"])
    assert other.index[found.now].tolist() == ["x", "z"]


# Plans of labels ------------------------------------------------------------------------------------------------------


def mixed(labels: pd.DataFrame) -> pd.DataFrame:
    """Edit two labels, delete one, add two equal ones."""
    after = labels.copy()
    after.loc[after.index[0], "class_name"] = "sky"
    after.loc[after.index[1], ["x_min", "x_max"]] += 3
    new = labels.iloc[[0, 0]].assign(external_id=None).reset_index(drop=True)
    return pd.concat([after.drop(after.index[2]), new])


def test_a_plan_says_what_it_will_do(project, images, labels):
    labels = project.get_labels(images)
    plan = project.plan_labels(labels, mixed(labels))
    assert len(plan) == 5
    assert plan.creates.index.tolist() == [0, 1]
    assert plan.deletes.index.tolist() == [labels.index[2]]
    edits = plan.edits
    assert edits.index.tolist() == labels.index[:2].tolist()
    assert edits["changed"].tolist() == ["class_name", "x_min, x_max"]
    assert edits[["class_name_old", "class_name_new"]].astype(object).iloc[0].tolist() == ["coin", "sky"]
    assert edits[["x_min_old", "x_min_new"]].iloc[1].tolist() == [10, 13]
    assert plan.counts("class_name").loc["coin"].tolist() == [2, 1, 0]
    assert plan.counts("class_name").to_numpy().sum() == 5
    for text in (repr(plan), plan._repr_html_()):
        assert "2 to create, 2 to edit, 1 to delete" in text
        assert "coin → sky" in text
        assert images.loc[labels["image_id"].iloc[0], "name"] in text
    with pytest.raises(hf.ValidationException, match="no column 'colour'"):
        plan.counts("colour")


@pytest.mark.parametrize(
    "same",
    [
        lambda labels: labels.iloc[::-1],
        lambda labels: labels.astype(object),
        lambda labels: labels.reset_index(),
        lambda labels: labels.assign(area=1.0).drop(columns=["mask", "class_id"]),
        lambda labels: labels.assign(z_index=labels["z_index"].replace(0, np.nan)),
    ],
)
def test_what_is_the_same_is_no_change(project, images, labels, same):
    labels = project.get_labels(images)
    plan = project.plan_labels(labels, same(labels))
    assert len(plan) == 0
    assert "nothing to do" in repr(plan)
    assert len(plan.apply()) == 0


def test_of_id_and_name_of_a_class_the_changed_one_counts(project, images, labels):
    labels = project.get_labels(images)
    classes = project.get_label_classes().reset_index().set_index("name")["class_id"]
    first = labels.index[0]
    by_name, by_id = labels.copy(), labels.copy()
    by_name.loc[first, "class_name"] = "sky"
    by_id.loc[first, "class_id"] = classes["sky"]
    for after in (by_name, by_id):
        [record] = [
            change["new"] for _, _, changes in project.plan_labels(labels, after)._units() for change in changes
        ]
        assert record == {"class_id": classes["sky"]}
    both = by_id.assign(class_name=by_id["class_name"].where(by_id.index != first, "cell"))
    with pytest.raises(hf.FrameError, match="not the name of the row's class_id"):
        project.plan_labels(labels, both)


def refused(before, after, **options):
    def check(project):
        with pytest.raises(hf.ValidationException) as caught:
            project.plan_labels(before, after, **options)
        return str(caught.value)

    return check


def test_bad_rows_are_named_and_nothing_is_sent(recorded, recorder, images, labels):
    before = recorded.get_labels(images)
    first, masked = before.index[0], before.index[1]

    def after(row, **values):
        frame = before.astype({"class_name": object})
        for column, value in values.items():
            frame.loc[row, column] = value
        return frame

    other = images.index[3]
    cases = {
        "x_max must be greater": after(first, x_max=0.0),
        "A label stays on its image": after(first, image_id=other),
        "Did you mean 'coin'": after(first, class_name="coim"),
        "Boxes are in whole pixels": after(first, x_min=10.5),
        "hf.masks.crop": after(masked, x_max=before["x_max"][masked] + 1),
        "longer than its box": after(masked, mask=None).assign(mask=[None, [1, 99], None, [1, 9]]),
        "several times in 'after'": pd.concat([before, before.iloc[:1]]),
        "must be the id of an image of this project": pd.concat([before, before.iloc[:1].assign(image_id="x")
                                                                 .reset_index(drop=True)]),
        "lacks: \\['polygon'\\]": (before.drop(columns="polygon"), before),
    }  # fmt: skip
    recorder.clear()
    for message, frame in cases.items():
        one, two = frame if isinstance(frame, tuple) else (before, frame)
        with pytest.raises(hf.ValidationException, match=message) as caught:
            recorded.plan_labels(one, two)
        if isinstance(caught.value, hf.FrameError):
            assert len(caught.value.problems) == (2 if "several times" in message else 1)
    assert {seen.method for seen in recorder.seen} <= {"GET"}


def test_what_reaches_beyond_the_image(project, images, labels):
    before = project.get_labels(images)
    image = images.loc[before["image_id"].iloc[0]]
    new = pd.DataFrame(
        {"image_id": image.name, "class_name": "coin", "x_min": [image["width"] - 4, 1e4], "y_min": 0.0,
         "x_max": [image["width"] + 4, 1e4 + 9], "y_max": 2.0, "mask": [[1, 8, 9, 8], None]}
    )  # fmt: skip
    after = pd.concat([before, new.iloc[:1]])
    with pytest.raises(hf.FrameError, match=f"The image has {image['width']} by {image['height']} pixels"):
        project.plan_labels(before, after)
    assert project.plan_labels(before, after, outside="keep").creates["x_max"].tolist() == [image["width"] + 4]
    clipped = project.plan_labels(before, after, outside="clip").creates
    assert clipped["x_max"].tolist() == [image["width"]]
    assert hf.masks.area(clipped["mask"]).tolist() == [8]
    with pytest.raises(hf.FrameError, match="nothing of the label is inside"):
        project.plan_labels(before, pd.concat([before, new]), outside="clip")


def equal_tables(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two labels frames hold the same labels, whatever their ids and order."""

    def rows(frame):
        columns = [c for c in frame if c != "class_id"]
        return sorted(map(repr, frame[columns].astype(object).where(frame[columns].notna(), None).values.tolist()))

    return rows(one) == rows(other)


def test_a_plan_is_applied_and_undone(project, images, labels, tmp_path):
    before = project.get_labels(images)
    after = mixed(before)
    plan = project.plan_labels(before, after)
    report = plan.apply(tmp_path / "journal.jsonl")
    assert report is plan.report
    assert report.index.tolist() == [*before.index[:2], 0, 1, before.index[2]]
    assert report["outcome"].tolist() == ["edited", "edited", "created", "created", "deleted"]
    assert (report["attempts"] == 1).all()
    assert report["message"].isna().all()
    now = project.get_labels(images)
    assert equal_tables(now, after)
    assert set(report["id"].iloc[2:4]) == set(now.index) - set(before.index)
    assert isinstance(report, pd.DataFrame)
    assert type(report[report["outcome"] == "edited"]) is pd.DataFrame
    assert repr(report).startswith("Report: 2 edited, 2 created, 1 deleted") or "2 created" in repr(report)

    back = report.undo()
    assert [len(back.creates), len(back.edits), len(back.deletes)] == [1, 2, 2]
    back.apply()
    assert equal_tables(project.get_labels(images), before)


@pytest.mark.filterwarnings("ignore::hastyframe.PlanWarning")
def test_undo_without_a_journal_of_ones_own(project, images, labels):
    before = project.get_labels(images)
    report = project.plan_labels(before, before.iloc[:0]).apply()
    assert not len(project.get_labels(images))
    report.undo().apply()
    assert equal_tables(project.get_labels(images), before)
    columns = ["image_id", "class_name"]
    report = project.plan_labels(project.get_labels(images)[columns], before.iloc[:0]).apply()
    report.undo().apply()
    assert equal_tables(project.get_labels(images), before), "what was not read is noted before it is deleted"


# Conflicts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def conflicting(project, images, labels):
    """Four labels of which somebody else edits the first and deletes the second, after they were read."""
    before = project.get_labels(images)
    project.edit_labels(before.iloc[:1].assign(z_index=99.0))
    project.delete_labels(before.iloc[1:2])
    return before


def test_what_changed_meanwhile_is_reported_and_not_overwritten(project, images, conflicting):
    plan = project.plan_labels(conflicting, conflicting.assign(z_index=conflicting["z_index"] + 1))
    with pytest.raises(hf.BatchError, match=r"2 edited, 2 failed.*Conflict") as caught:
        plan.apply()
    report = caught.value.report
    assert report["outcome"].tolist() == ["failed", "failed", "edited", "edited"]
    assert "z_index of the label changed on the server" in report["message"].iloc[0]
    assert "was deleted since it was read" in report["message"].iloc[1]
    assert project.get_labels(images)["z_index"].tolist() == [99.0, 1.0, 3.5]


@pytest.mark.filterwarnings("ignore::hastyframe.PlanWarning")
def test_what_changed_meanwhile_is_not_deleted(project, images, conflicting):
    report = project.plan_labels(conflicting, conflicting.iloc[:0]).apply(errors="report")
    assert report["outcome"].tolist() == ["failed", "unchanged", "deleted", "deleted"]
    assert project.get_labels(images)["z_index"].tolist() == [99.0]


def test_conflicts_can_be_overwritten(project, images, conflicting):
    plan = project.plan_labels(conflicting, conflicting.assign(z_index=5.0))
    report = plan.apply(on_conflict="overwrite", errors="report")
    assert report["outcome"].tolist() == ["edited", "failed", "edited", "edited"]
    assert project.get_labels(images)["z_index"].tolist() == [5.0] * 3


def test_what_is_as_intended_already_is_unchanged(project, images, labels):
    before = project.get_labels(images)
    after = before.assign(z_index=5.0)
    project.edit_labels(after)
    report = project.plan_labels(before, after).apply()
    assert set(report["outcome"]) == {"unchanged"}


def test_one_bad_row_does_not_sink_its_neighbours(project, images):
    doomed = project.create_label_class("doomed")
    rows = pd.DataFrame({"image_id": images.index[0], "class_name": ["coin"] * 40, "x_min": range(40)})
    rows = rows.assign(x_max=rows["x_min"] + 1, y_min=0, y_max=1)
    rows.loc[[3, 17, 18], "class_name"] = "doomed"
    nothing = project.get_labels(images)
    plan = project.plan_labels(nothing, rows)
    doomed.delete()
    report = plan.apply(errors="report")
    assert report.index[report["outcome"] == "failed"].tolist() == [3, 17, 18]
    assert report["message"].dropna().str.contains("no label class").all()
    stored = project.get_labels(images)
    assert stored["x_min"].tolist() == [x for x in range(40) if x not in (3, 17, 18)]
    assert set(report["id"].dropna()) == set(stored.index)


def test_wrong_options_are_refused(project, images, labels, tmp_path):
    plan = project.plan_labels(labels, labels.iloc[1:])
    with pytest.raises(hf.ValidationException, match="'report'"):
        plan.apply(errors="ignore")
    with pytest.raises(hf.ValidationException, match="'overwrite'"):
        plan.apply(on_conflict="overwritten")
    (tmp_path / "j.jsonl").touch()
    wrong = {"verify": ("no", 1, None), "max_workers": (0, -1, 1.5, "4", True), "errors": ("no", None)}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(hf.ValidationException, match=f"{name} is"):
                plan.apply(tmp_path / "new.jsonl", **{name: value})
            with pytest.raises(hf.ValidationException, match=f"{name} is"):
                project.resume(tmp_path / "j.jsonl", **{name: value})
    for journal in (5, b"j.jsonl", ""):
        for call in (plan.apply, project.resume, project.undo, lambda j: project.create_labels(labels, journal=j)):
            with pytest.raises(hf.ValidationException, match="journal is"):
                call(journal)
    assert not (tmp_path / "new.jsonl").exists()
    assert len(project.get_labels(images)) == 4
    report = plan.apply(max_workers=2, verify=True)
    with pytest.raises(hf.ValidationException, match="mend is 'no'"):
        report.verify(mend="no")


# The other kinds ------------------------------------------------------------------------------------------------------


def test_statuses(project, images):
    before = project.get_images()
    plan = project.plan_status(before, before.iloc[:2].assign(status="DONE"))
    assert plan.counts("status").loc["NEW"].tolist() == [0, 2, 0]
    project.set_status(before.index[1:2], "SKIPPED")
    report = plan.apply(errors="report")
    assert report["outcome"].tolist() == ["edited", "failed"]
    assert project.get_images().loc[before.index[:2], "status"].tolist() == ["DONE", "SKIPPED"]
    report.undo().apply()
    assert project.get_images().loc[before.index[:2], "status"].tolist() == ["NEW", "SKIPPED"]
    with pytest.raises(hf.FrameError, match="Did you mean 'DONE'"):
        project.plan_status(before, before.assign(status="DONNE"))
    with pytest.raises(hf.FrameError, match="must be an image of the earlier frame"):
        project.plan_status(before.iloc[1:], before.iloc[:1].assign(status="DONE"))


def test_tags(project, images):
    for name in ("night", "blurred"):
        project.create_tag_class(name)
    project.add_tags(pd.DataFrame({"image_id": images.index[:2], "tag_class_name": "night"}))
    before = project.get_tags()
    after = pd.concat([before.iloc[1:], pd.DataFrame({"image_id": images.index[:3], "tag_class_name": "blurred"})])
    plan = project.plan_tags(before, after)
    assert [len(plan.creates), len(plan.deletes)] == [3, 1]
    report = plan.apply()
    assert report["outcome"].value_counts().loc[["created", "deleted"]].tolist() == [3, 1]
    pairs = lambda tags: set(zip(tags["image_id"], tags["tag_class_name"], strict=True))  # noqa: E731
    assert pairs(project.get_tags()) == pairs(after)
    report.undo().apply()
    assert pairs(project.get_tags()) == pairs(before)
    with pytest.raises(hf.FrameError, match="Did you mean 'night'"):
        project.plan_tags(before, pd.DataFrame({"image_id": images.index[:1], "tag_class_name": "nigth"}))


@pytest.mark.parametrize("wide", [False, True])
def test_label_attributes(project, images, labels, wide):
    project.create_attribute("colour", "SELECTION", values=["red", "green"])
    project.create_attribute("weight", "FLOAT")
    ids = labels.index
    project.set_label_attributes(pd.DataFrame({"colour": ["red", "red"], "weight": [1.5, None]}, index=ids[:2]))
    before = project.get_label_attributes(labels, wide=True)
    after = before.copy()
    after.loc[ids[0], "colour"] = "green"
    after.loc[ids[0], "weight"] = None
    after.loc[ids[3], "weight"] = 2.5
    if wide:
        plan = project.plan_label_attributes(before, after)
    else:
        long = hf.attributes.lengthen(after)
        plan = project.plan_label_attributes(project.get_label_attributes(labels), long)
    assert [len(plan.creates), len(plan.edits), len(plan.deletes)] == [1, 1, 1]
    report = plan.apply()
    pd.testing.assert_frame_equal(project.get_label_attributes(labels, wide=True), after)
    report.undo().apply()
    pd.testing.assert_frame_equal(project.get_label_attributes(labels, wide=True), before)


def test_label_classes(project):
    before = project.get_label_classes()
    after = before.assign(color=before["color"].where(before["name"] != "coin", "#123456ff"))
    after = after[after["name"] != "sky"]
    after = pd.concat([after, pd.DataFrame({"name": ["leaf", "tree"], "norder": [7.0, 8.0]})])
    report = project.plan_label_classes(before, after).apply()
    now = project.get_label_classes()
    assert set(now["name"]) == {"coin", "cell", "leaf", "tree"}
    assert now.set_index("name")["color"]["coin"] == "#123456ff"
    report.undo().apply()
    back = project.get_label_classes()
    columns = ["name", "color", "class_type", "norder"]
    assert back[columns].sort_values("name").values.tolist() == before[columns].sort_values("name").values.tolist()


def test_a_plan_of_what_another_client_reads_is_the_same(client, project, pictures):
    images = make_images(project, pictures)
    make_labels(project, images)
    with hf.Client(client.api_key, client.base_url, progress=False) as other:
        there = other.get_project(project.id)
        before = there.get_labels()
        report = there.plan_labels(before, mixed(before)).apply()
    assert not len(report.failed)
    assert equal_tables(project.get_labels(images), mixed(before))
