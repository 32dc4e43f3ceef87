"""The page of an evaluation: what is on it, what hostile names can do, and what a real browser makes of it."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import hastyframe as hf

BOX = ["x_min", "y_min", "x_max", "y_max"]
HOSTILE = ['<script>document.title = "hacked"</script>', '"><img src=x onerror=alert(1)>', "$title ${body} &amp; ]]>"]
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def evaluation_of(classes, images=3, **kwargs):
    """An evaluation of a label of each class an image; every third prediction is somewhere else."""
    labels = pd.DataFrame({"image_id": np.repeat([f"i{n}" for n in range(images)], len(classes))})
    labels["class_name"] = pd.Categorical(list(classes) * images, categories=[*classes, "nothing"])
    corner = np.arange(len(labels))[:, None] % len(classes) * 30
    labels[BOX] = np.hstack([corner, corner, corner + 25, corner + 20]).astype(float)
    labels.index = pd.Index([f"l{n}" for n in labels.index], name="label_id")
    found = labels.reset_index(drop=True).assign(score=np.linspace(0.95, 0.2, len(labels)))
    found.loc[::3, ["x_min", "x_max"]] += 100
    frame = pd.DataFrame(
        {"width": 40 + 30 * len(classes), "height": 40 + 30 * len(classes)}, index=labels["image_id"].unique()
    )
    frame["name"] = [f"photo {n}.png" for n in range(images)]
    return hf.evaluate(labels, found, images=frame.assign(**kwargs))


class Page(HTMLParser):
    """Tables, headings and pictures of a page; an end tag that ends nothing is an error."""

    EMPTY = frozenset({"meta", "link", "input", "img"})

    def __init__(self, text):
        super().__init__()
        self.tables, self.titles, self.pictures, self.ids, self._open, self._cell = {}, [], [], [], [], None
        self.feed(text)
        self.close()
        assert not self._open

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "img":
            self.pictures.append(attrs["src"])
        if tag in self.EMPTY:
            return
        self._open.append(tag)
        if tag == "tr":
            self.tables[self.titles[-1]].append([])
        if tag == "table":
            self.tables[self.titles[-1]] = []
        if tag in ("th", "td", "h2"):
            self._cell = ""

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag == "h2":
            self.titles.append(self._cell)
        if tag in ("th", "td"):
            self.tables[self.titles[-1]][-1].append(self._cell)
        if tag in ("th", "td", "h2"):
            self._cell = None


def written(evaluation, folder, *args, **kwargs):
    path = folder / "page.html"
    evaluation.to_html(path, *args, **kwargs)
    return path.read_text(encoding="utf-8")


def opened(source):
    from PIL import Image

    assert source.startswith("data:image/jpeg;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")).astype(int)


# What is on it --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluation():
    return evaluation_of(["cat", "dog", "class 2", "class 10"], images=5)


@pytest.fixture(scope="module")
def text(evaluation, tmp_path_factory):
    """The page as it is written without options."""
    return written(evaluation, tmp_path_factory.mktemp("page"))


def test_tables_hold_what_the_frames_hold(evaluation, text):
    page = Page(text)
    assert page.titles == ["Figures", "Classes", "Worst images", "Images", "Suspects"]
    head, *rows = page.tables["Classes"]
    classes = evaluation.per_class()
    assert [row[0] for row in rows] == list(classes.index)
    assert [row[head.index("labels")] for row in rows] == [f"{count:,}" for count in classes["labels"]]
    assert [row[head.index("AP")] for row in rows] == ["–" if np.isnan(ap) else f"{ap:.3f}" for ap in classes["AP"]]
    head, *rows = page.tables["Suspects"]
    suspects = evaluation.suspects()
    assert [row[head.index("suspicion")] for row in rows] == [f"{value:.3f}" for value in suspects["suspicion"]]
    assert [row[head.index("image")] for row in rows] == evaluation.images["name"][suspects["image_id"]].tolist()


def test_images_come_worst_first(evaluation, tmp_path):
    _, *rows = Page(written(evaluation, tmp_path, score=0.4)).tables["Images"]
    matches = evaluation.match(score=0.4)
    for name, *counts in rows:
        [image_id] = evaluation.images.index[evaluation.images["name"] == name]
        outcome = matches.loc[matches["image_id"] == image_id, "outcome"].value_counts()
        assert counts == [str(outcome[kind]) for kind in ("tp", "fp", "fn")]
    wrong = [int(fp) + int(fn) for _, _, fp, fn in rows]
    assert wrong == sorted(wrong, reverse=True)


def test_the_worst_images_are_painted_by_outcome(evaluation, tmp_path):
    from PIL import Image

    pictures = {id_: Image.new("RGB", (160, 160), (20, 20, 20)) for id_ in evaluation.images.index}
    page = Page(written(evaluation, tmp_path, pictures, worst=2, score=0.0))
    assert len(page.pictures) == 2
    painted = opened(page.pictures[0]).reshape(-1, 3)
    assert np.median(painted, axis=0).tolist() == [20, 20, 20]
    for colour in ("#009e73", "#d55e00", "#56b4e9"):  # found, wrong, missed
        distance = np.abs(painted - list(bytes.fromhex(colour[1:]))).max(axis=1)
        assert (distance < 40).sum() > 50, colour


def test_without_pictures_or_sizes_there_are_none(evaluation, text, tmp_path):
    assert len(Page(text).pictures) == 5
    assert not Page(written(evaluation, tmp_path, worst=0)).pictures
    unknown = hf.evaluate(evaluation.labels, evaluation.predictions)
    assert not Page(written(unknown, tmp_path)).pictures


def test_a_page_is_written_the_same_again(evaluation, text, tmp_path):
    assert written(evaluation, tmp_path) == text


def test_ids_are_there_once(text):
    assert [id_ for id_, count in Counter(Page(text).ids).items() if count > 1] == []


def test_nothing_is_named_that_is_elsewhere(text):
    sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", text)
    assert sources
    assert [source for source in sources if not source.startswith(("data:", "#"))] == []


@pytest.mark.parametrize("part", ["labels", "predictions", "both"])
def test_nothing_to_evaluate(evaluation, part, tmp_path):
    labels = evaluation.labels.iloc[:0] if part != "predictions" else evaluation.labels
    predictions = evaluation.predictions.iloc[:0] if part != "labels" else evaluation.predictions
    page = Page(written(hf.evaluate(labels, predictions, images=evaluation.images), tmp_path))
    assert len(page.tables["Images"]) == 1 + 5


def test_classes_by_id_and_ids_that_are_numbers(evaluation, text, tmp_path):
    def by_number(frame):
        return (
            frame.reset_index(drop=True)
            .assign(
                class_id=frame["class_name"].cat.codes.to_numpy(),
                image_id=frame["image_id"].str[1:].astype(int).to_numpy(),
            )
            .drop(columns="class_name")
        )

    images = evaluation.images.set_axis(range(5))
    numbers = hf.evaluate(by_number(evaluation.labels), by_number(evaluation.predictions), images=images)
    page = Page(written(numbers, tmp_path))
    assert page.tables["Images"] == Page(text).tables["Images"]
    assert len(page.pictures) == 5
    assert (opened(page.pictures[0]).std(axis=(0, 1)) > 10).all()  # something is painted on it


def test_scores_that_are_no_probabilities(evaluation, text, tmp_path):
    far = hf.evaluate(evaluation.labels, evaluation.predictions.assign(score=lambda frame: frame["score"] * 9))
    assert written(far, tmp_path).count("<svg") == text.count("<svg") - 1


def test_masks(tmp_path):
    given = evaluation_of(["cat"])
    mask = hf.masks.encode(np.ones((20, 25), bool)).to_list()[0]
    labels, found = (frame.assign(mask=[mask] * len(frame)) for frame in (given.labels, given.predictions))
    text = written(hf.evaluate(labels, found, images=given.images, iou="mask"), tmp_path)
    assert "masks compared" in text


def test_bad_arguments_are_refused(evaluation, tmp_path):
    for kwargs, why in [
        ({"worst": -1}, "worst"),
        ({"iou": 0}, "iou"),
        ({"pictures": tmp_path}, "no picture of image"),
        ({"classes": {"cat": "red"}}, "'red'"),
    ]:
        with pytest.raises(hf.ValidationException, match=why):
            evaluation.to_html(tmp_path / "page.html", **kwargs)
        assert not (tmp_path / "page.html").exists()


def test_without_matplotlib_the_error_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from hastyframe.evaluation.evaluation import _example\n"
        f"evaluation = _example(); evaluation.summary(); evaluation.to_html({str(tmp_path / 'page.html')!r})"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ImportError: plots need matplotlib: pip install 'hastyframe[plot]'" in run.stderr


# Hostile names --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A page of hostile names."""
    return written(evaluation_of(HOSTILE, name=HOSTILE), tmp_path_factory.mktemp("hostile"), title=HOSTILE[0])


def test_names_are_texts_whatever_is_in_them(hostile):
    page = Page(hostile)
    assert [row[0] for row in page.tables["Classes"][1:]] == [*HOSTILE, "nothing"]
    assert sorted(row[0] for row in page.tables["Images"][1:]) == sorted(HOSTILE)
    assert hostile.count("<script") == 1
    assert "<img src=x" not in hostile


# In a browser ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Headless Chromium with an empty profile."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium: install it, with apt-get install chromium for example")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=found, headless=True, args=FLAGS
        )
        context.set_default_timeout(10_000)
        yield context
        context.close()


@pytest.fixture
def show(chromium, tmp_path):
    """Open a page; in the end nothing has complained, and nothing was asked of anybody else."""
    complaints, requests, tabs = [], [], []

    def show(text):
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        tab = chromium.new_page()
        tabs.append(tab)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto((tmp_path / "page.html").as_uri())
        return tab

    yield show
    for tab in tabs:
        tab.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [(tmp_path / "page.html").as_uri()]


def column(tab, table, head):
    """Texts of a column of a table, as they stand, without rows that are hidden."""
    section = tab.locator("section.table", has=tab.get_by_role("heading", name=table, exact=True))
    place = section.locator("th").all_inner_texts().index(head)
    return section.locator(f"tbody tr:visible td:nth-child({place + 1})").all_inner_texts()


def test_a_click_sorts_numbers_as_numbers(show, text):
    tab = show(text)
    section = tab.locator("section.table").first
    before = column(tab, "Classes", "AP")
    section.get_by_role("button", name="AP", exact=True).click()
    numbers = sorted((text for text in before if text != "–"), key=float)
    assert before[-1] == "–"
    assert column(tab, "Classes", "AP") == [*numbers[::-1], "–"]
    assert section.locator("th[aria-sort=descending]").inner_text() == "AP"
    section.get_by_role("button", name="AP", exact=True).press("Enter")  # the keyboard does it too
    assert column(tab, "Classes", "AP") == [*numbers, "–"]  # what is missing stays last
    assert section.locator("th[aria-sort]").count() == 1


def test_a_click_sorts_texts_as_people_do(show, text):
    tab = show(text)
    button = tab.locator("section.table").first.get_by_role("button", name="class", exact=True)
    button.click()
    assert column(tab, "Classes", "class") == ["cat", "class 2", "class 10", "dog", "nothing"]
    button.click()
    assert column(tab, "Classes", "class") == ["nothing", "dog", "class 10", "class 2", "cat"]


def test_a_filter_hides_rows(show, text):
    tab = show(text)
    box = tab.get_by_label("Filter classes")
    output = tab.locator("section.table output").first
    assert output.inner_text() == "5 rows"
    box.fill("CLASS 1")
    assert column(tab, "Classes", "class") == ["class 10"]
    assert output.inner_text() == "1 of 5 rows"
    assert len(column(tab, "Images", "image")) == 5  # the others are left alone
    tab.locator("section.table").first.get_by_role("button", name="AP", exact=True).click()
    assert column(tab, "Classes", "class") == ["class 10"]
    box.fill("")
    assert len(column(tab, "Classes", "class")) == 5


def test_it_fits_a_phone_and_a_dark_scheme(show, text):
    tab = show(text)
    light = tab.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    tab.emulate_media(color_scheme="dark")
    dark = tab.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert light[0] == "rgb(255, 255, 255)"
    assert max(map(int, re.findall(r"\d+", dark[0]))) < 60
    assert min(map(int, re.findall(r"\d+", dark[1]))) > 200
    axis = tab.locator("figure svg text").first.evaluate("node => getComputedStyle(node).fill")
    assert axis == dark[1]
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert tab.locator("figure img").first.bounding_box()["width"] > 250


def test_hostile_names_do_nothing(show, hostile):
    tab = show(hostile)
    assert tab.title() == HOSTILE[0]
    assert tab.locator("h1").inner_text() == HOSTILE[0]
    assert tab.evaluate("document.scripts.length") == 1
    assert tab.locator("img:not([src^='data:'])").count() == 0
    assert sorted(column(tab, "Images", "image")) == sorted(HOSTILE)


def test_no_script_but_its_own_would_run(chromium, text, tmp_path):
    changed = text.replace("<header>", "<script>document.title = 'hacked'</script><header>")
    (tmp_path / "page.html").write_text(changed, encoding="utf-8")
    tab = chromium.new_page()
    tab.goto((tmp_path / "page.html").as_uri())
    assert tab.title() == "Evaluation"
    assert tab.locator("section.table output").first.inner_text() == "5 rows"
    tab.close()
