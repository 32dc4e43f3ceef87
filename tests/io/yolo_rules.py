"""What ultralytics documents of a data set that it trains on, checked without it.

https://docs.ultralytics.com/datasets/detect and https://docs.ultralytics.com/datasets/segment
"""

from __future__ import annotations

from pathlib import Path

import yaml

SUFFIXES = {".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp", ".pfm", ".heic"}


def check(folder: Path, task: str) -> dict[str, list[Path]]:
    """Hold a folder to the rules; return the pictures that each part of it is trained or validated on."""
    data = yaml.safe_load((folder / "data.yaml").read_text())
    assert {"train", "val", "names"} <= data.keys()
    assert sorted(data["names"]) == list(range(len(data["names"])))
    assert all(isinstance(name, str) for name in data["names"].values())
    root = folder / data.get("path", "")
    found = {}
    for part in {"train", "val", "test"} & data.keys():
        places = data[part] if isinstance(data[part], list) else [data[part]]
        found[part] = sorted(picture for place in places for picture in pictures(root / place))
        assert found[part]
        rows = [row for picture in found[part] for row in labels(picture, len(data["names"]))]
        if task == "detect":
            assert {len(row) for row in rows} <= {5}
        else:
            assert all(len(row) >= 7 and len(row) % 2 == 1 for row in rows)
    return found


def pictures(place: Path) -> list[Path]:
    if place.is_dir():
        return [path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES]
    return [place.parent / line for line in place.read_text().splitlines()]


def labels(picture: Path, classes: int) -> list[list[float]]:
    """Lines of the label file that belongs to a picture: below ``labels`` where that is below ``images``."""
    assert picture.is_file()
    above, below = str(picture).rsplit("/images/", 1)
    file = Path(f"{above}/labels/{below}").with_suffix(".txt")
    assert file.is_file(), file
    rows = [[float(word) for word in line.split()] for line in file.read_text().splitlines()]
    assert len(set(map(tuple, rows))) == len(rows)
    for number, *shares in rows:
        assert number in range(classes)
        assert all(0 <= share <= 1 for share in shares)
    return rows
