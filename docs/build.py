"""Write docs/frames.md from the declarations: ``python docs/build.py``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hastyframe import entities, frames

PAGE = Path(__file__).with_name("frames.md")

HEAD = """# Frames

What the columns of each frame are. This page is written by `python docs/build.py` from the declarations in
`hastyframe/entities.py`; do not edit it by hand.

- The index is the thing's id, named as other frames name it: `labels.join(images.add_suffix("_image"), on="image_id")`.
- Columns, their order and their dtypes are always the same, also when the frame is empty.
- A category column knows **all** values there are: `labels.loc[rows, "class_name"] = "cat"` works for every class of
  the project, and fails at once for one that it has not.
- `polygon` and `mask` are Arrow lists, ready for `hf.masks`; [geometry columns](geometry.md) are taken as well.
- Pixels count from 0; maxima are exclusive, so that the width of a box is `x_max - x_min`.
"""


def page() -> str:
    """Return the text of the page."""
    return HEAD + "".join(section(entity) for entity in entities.ENTITIES)


def section(entity: type[entities.Entity]) -> str:
    """Return the table of one entity's frames."""
    dtypes = frames.dtypes(entity)
    ids = entity.fields().get("id")
    rows = [
        f"| *index* `{entity.id_name}` | {'str' if ids else 'int'} | {ids.__doc__ if ids else 'Number of the row.'} |"
    ]
    for field in entity.fields().values():
        columns = frames.BOX if field.kind is entities.Kind.BOX else (field.name,)
        rows += [f"| `{name}` | {spell(dtypes[name])} | {field.__doc__} |" for name in columns if name in dtypes]
    title = entity.plural.replace("_", " ")
    doc = (entity.__doc__ or "").strip()
    return f"\n## {title}\n\n{doc}\n\n| column | dtype | what it is |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def spell(dtype: object) -> str:
    """Name a dtype for people."""
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.StringDtype):
        return "str"
    names = {
        frames.MASK: "list of int32 (Arrow)",
        frames.POLYGON: "list of [x, y] (Arrow)",
        frames.VALUES: "list of {id, value} (Arrow)",
    }
    return names.get(dtype.pyarrow_dtype, str(dtype)) if isinstance(dtype, pd.ArrowDtype) else str(dtype)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
