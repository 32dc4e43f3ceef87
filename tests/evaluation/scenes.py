"""Labels and the predictions of a model that makes every kind of mistake."""

from __future__ import annotations

import numpy as np
import pandas as pd

BOX = ["x_min", "y_min", "x_max", "y_max"]
CLASSES = ["bird", "cat", "dog"]


def scene(seed: int, images: int = 12, *, crowds: bool = True) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Images, labels and predictions; no two scores or overlaps are equal."""
    rng = np.random.default_rng(seed)
    count = 8 * images
    labels = pd.DataFrame(
        {
            "image_id": rng.integers(images - 1, size=count).astype("U"),
            "class_name": pd.Categorical.from_codes(np.arange(count) % 3, CLASSES),
            "occluded": rng.choice(["yes", "no", None], count),
        },
        index=pd.Index([f"l{row}" for row in range(count)], name="label_id"),
    )
    corner, side = rng.uniform(0, 150, (count, 2)), np.exp(rng.uniform(2, 5, (count, 2)))
    labels[BOX] = np.concatenate([corner, corner + side], axis=1)
    labels["iscrowd"] = (rng.random(count) < 0.1) & crowds

    parts = []
    for shift, share, flip in ((0.03, 0.7, 0.1), (0.25, 0.5, 0.2), (0.05, 0.2, 0.9), (0.3, 0.3, 1.0)):
        some = np.flatnonzero(rng.random(count) < share)
        part = labels[["image_id", "class_name", *BOX]].iloc[some].copy()
        sides = np.tile(part[["x_max", "y_max"]].to_numpy() - part[["x_min", "y_min"]].to_numpy(), 2)
        part[BOX] += sides * rng.normal(0, shift, (len(some), 4))
        other = rng.choice(CLASSES, len(some))
        part["class_name"] = np.where(rng.random(len(some)) < flip, other, part["class_name"].astype(str))
        parts.append(part)
    nothing = pd.DataFrame(
        {"image_id": rng.integers(images, size=images).astype("U"), "class_name": rng.choice(CLASSES, images)}
    )
    corner = rng.uniform(400, 500, (images, 2))
    nothing[BOX] = np.concatenate([corner, corner + rng.uniform(5, 50, (images, 2))], axis=1)
    found = pd.concat([*parts, nothing])
    found[["x_max", "y_max"]] = np.maximum(found[["x_max", "y_max"]], found[["x_min", "y_min"]].to_numpy() + 1)
    found["score"] = rng.random(len(found))
    found["model"] = rng.choice(["small", "large"], len(found))
    found = found.sample(frac=1, random_state=seed)
    found.index = pd.Index([f"p{row}" for row in range(len(found))], name="prediction_id")
    where = pd.DataFrame(
        {"dataset_name": rng.choice(["train", "val"], images), "width": 600, "height": 600},
        index=pd.Index([str(number) for number in range(images)], name="image_id"),
    )
    return where, labels, found
