"""What the server knows, in SQLite: the tables follow from the declarations in :mod:`hastyframe.entities`.

A field becomes a column of its kind; a field that names another thing by its id becomes a foreign key that cascades;
a field that holds such a thing's name is looked up when rows are read. Rows are listed in the order of creation.
"""

from __future__ import annotations

import contextlib
import sqlite3
import typing
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import orjson

from hastyframe.entities import (
    Attribute,
    AutomatedLabelingJob,
    Dataset,
    Entity,
    ExportJob,
    Field,
    Image,
    Kind,
    Label,
    LabelAttribute,
    LabelClass,
    Project,
    Tag,
    TagClass,
    Workspace,
)

__all__ = ["Record", "Store", "annotation", "decoded", "new_id"]

Record: TypeAlias = dict[str, Any]
Where: TypeAlias = Mapping[str, Any]
T = TypeVar("T", Record, list[Record])

STORED: tuple[type[Entity], ...] = (
    Workspace,
    Project,
    Dataset,
    Image,
    LabelClass,
    TagClass,
    Attribute,
    Label,
    LabelAttribute,
    Tag,
    ExportJob,
    AutomatedLabelingJob,
)
"""In the order of creation: a table stands after those that it refers to."""

VERSION = 2
"""Of the tables. A folder of a version to come is refused instead of being misread."""
_MIGRATIONS = {1: 'ALTER TABLE labels ADD COLUMN "keypoints" TEXT'}
"""What makes the tables of a version those of the next one."""

_PRIVATE: dict[type[Entity], dict[str, str]] = {Image: {"media_type": "TEXT"}}
_FURTHER: dict[type[Entity], tuple[str, ...]] = {Label: ("keypoints",)}
"""What is kept and given back as JSON without being declared; records do not have it where it is null."""
_UNIQUE: dict[type[Entity], tuple[str, ...]] = {
    Image: ("dataset_id", "name"),
    LabelAttribute: ("label_id", "attribute_id"),
    Tag: ("image_id", "tag_class_id"),
}
_INDEXED: dict[type[Entity], tuple[str, ...]] = {Image: ("project_id", "status")}
_SQL_TYPES = {Kind.INTEGER: "INTEGER", Kind.NUMBER: "NUMERIC", Kind.TEXT: "TEXT", Kind.CATEGORY: "TEXT"}
_ATTRIBUTE_CLASSES = """
CREATE TABLE attributes_classes (
    attribute_id TEXT NOT NULL REFERENCES attributes(id) ON DELETE CASCADE,
    class_id TEXT NOT NULL REFERENCES label_classes(id) ON DELETE CASCADE,
    attribute_order NUMERIC NOT NULL,
    class_order NUMERIC NOT NULL,
    UNIQUE (attribute_id, class_id)
);
CREATE INDEX attributes_classes_class ON attributes_classes(class_id);
"""


def new_id() -> str:
    """Return a fresh id."""
    return str(uuid.uuid4())


def annotation(field: Field[Any]) -> Any:
    """Return the type that a declaration gives a field, as ``str | None`` of ``Field[str | None]``."""
    return typing.get_args(getattr(field, "__orig_class__"))[0]  # noqa: B009 (set by typing, unknown to checkers)


def decoded(records: T) -> T:
    """Return a record, or a list of them, with its lists as Python lists instead of encoded ones."""
    decoded: T = orjson.loads(orjson.dumps(records))
    return decoded


class _Column(NamedTuple):
    key: str
    sql_type: str
    json: bool
    refers_to: type[Entity] | None


class _Table(NamedTuple):
    """How an entity is stored: its columns, and what is selected to make its records."""

    name: str
    columns: tuple[_Column, ...]
    keys: tuple[str, ...]
    json_keys: tuple[str, ...]
    further_keys: tuple[str, ...]
    select: str

    @property
    def column_names(self) -> list[str]:
        return [f'"{column.key}"' for column in self.columns]


class Store:
    """One connection to the database of a server.

    The event loop has one, each background job has one of its own.

    Parameters
    ----------
    path : Path
        The database file; made where it is missing.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from hastyframe.entities import Workspace
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(pathlib.Path(folder, "db"))
    ...     with store.transaction():
    ...         _ = store.insert(Workspace, {"name": "lab"})
    ...         total, (workspace,) = store.page(Workspace, {})
    ...     store.close()
    >>> total, workspace["name"]
    (1, 'lab')
    """

    def __init__(self, path: Path) -> None:
        # The driver's own transactions begin late and silently; here they are begun by hand.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        # Safe when the process dies; a power cut can lose the last moments, never the consistency.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        with self.transaction():
            self._create_tables()

    def _create_tables(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        while version in _MIGRATIONS:
            self._db.execute(_MIGRATIONS[version])
            version += 1
            self._db.execute(f"PRAGMA user_version={version:d}")
        if version == VERSION:
            return
        if version:
            raise RuntimeError(f"the folder was written by another version of hastyframe (tables {version})")
        for entity in STORED:
            for statement in _create(entity):
                self._db.execute(statement)
        for statement in filter(str.strip, _ATTRIBUTE_CLASSES.split(";")):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={VERSION}")

    @property
    def mark(self) -> int:
        """A number below 2**31 that the database keeps; 0 in a new one."""
        (mark,) = self._db.execute("PRAGMA application_id").fetchone()
        return int(mark)

    @mark.setter
    def mark(self, mark: int) -> None:
        self._db.execute(f"PRAGMA application_id={mark:d}")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """All or nothing: what is done inside is kept together, or undone when an error leaves the block."""
        # A writer takes its place at once: a read that turns into a write could find that it came too late.
        self._db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def get(self, entity: type[Entity], where: Where) -> Record | None:
        """Return a record with these values, or None."""
        records = self._select(entity, where, "LIMIT 1")
        return records[0] if records else None

    def page(
        self, entity: type[Entity], where: Where, *, offset: int = 0, limit: int = 100
    ) -> tuple[int, list[Record]]:
        """Return how many records have these values, and one page of them.

        A list as a value means any of its elements.
        """
        # What is skipped is counted off in an index, without reading the records.
        name = _TABLES[entity].name
        conditions, values = _conditions(where)
        rows = f"SELECT t.seq FROM {name} t{conditions} ORDER BY t.seq LIMIT {limit:d} OFFSET {offset:d}"  # noqa: S608 (declared names only)
        found = [row[0] for row in self._db.execute(rows, values)]
        return self.count(entity, where), self._select(entity, {"seq": found}, "ORDER BY t.seq")

    def all(self, entity: type[Entity], where: Where) -> list[Record]:
        """Return all records with these values, in order of creation."""
        return self._select(entity, where, "ORDER BY t.seq")

    def count(self, entity: type[Entity], where: Where) -> int:
        """Return how many records have these values."""
        conditions, values = _conditions(where)
        sql = f"SELECT count(*) FROM {_TABLES[entity].name} t{conditions}"  # noqa: S608 (declared names only)
        return int(self._db.execute(sql, values).fetchone()[0])

    def ids(self, entity: type[Entity], where: Where) -> set[str]:
        """Return the ids of all records with these values."""
        conditions, values = _conditions(where)
        sql = f"SELECT id FROM {_TABLES[entity].name} t{conditions}"  # noqa: S608 (declared names only)
        return {id_ for (id_,) in self._db.execute(sql, values)}

    def column(self, entity: type[Entity], key: str, where: Where) -> list[Any]:
        """Return one column of all records with these values."""
        conditions, values = _conditions(where)
        sql = f'SELECT "{key}" FROM {_TABLES[entity].name} t{conditions} ORDER BY t.seq'  # noqa: S608 (declared names only)
        return [value for (value,) in self._db.execute(sql, values)]

    def insert(self, entity: type[Entity], record: Where) -> Record:
        """Store a new record and return it as it is read."""
        (id_,) = self.insert_many(entity, [record])
        stored = self.get(entity, {"id": id_})
        assert stored is not None  # noqa: S101 (it was inserted a line above)
        return stored

    def insert_many(self, entity: type[Entity], records: Sequence[Where]) -> list[str]:
        """Store new records and return their ids, in order."""
        table = _TABLES[entity]
        ids = [record.get("id") or new_id() for record in records]
        rows = [[*_values(table, {**record, "id": id_})] for record, id_ in zip(records, ids, strict=True)]
        holders = ", ".join("?" * len(table.columns))
        sql = f"INSERT INTO {table.name} ({', '.join(table.column_names)}) VALUES ({holders})"  # noqa: S608 (declared names only)
        self._db.executemany(sql, rows)
        return ids

    def update(self, entity: type[Entity], id_: str, changes: Where) -> None:
        """Change some values of the record with this id."""
        if not changes:
            return
        json_keys = _TABLES[entity].json_keys
        values = [_encoded(value) if key in json_keys else value for key, value in changes.items()]
        sets = ", ".join(f'"{key}" = ?' for key in changes)
        sql = f"UPDATE {_TABLES[entity].name} SET {sets} WHERE id = ?"  # noqa: S608 (declared names only)
        self._db.execute(sql, [*values, id_])

    def delete(self, entity: type[Entity], ids: Iterable[str]) -> None:
        """Delete the records with these ids, and what belongs to them."""
        sql = f"DELETE FROM {_TABLES[entity].name} WHERE id = ?"  # noqa: S608 (declared names only)
        self._db.executemany(sql, [(id_,) for id_ in ids])

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement that no other method covers."""
        return self._db.execute(sql, values)

    def _select(self, entity: type[Entity], where: Where, tail: str) -> list[Record]:
        table = _TABLES[entity]
        conditions, values = _conditions(where)
        records = [
            dict(zip(table.keys, row, strict=True))
            for row in self._db.execute(f"{table.select}{conditions} {tail}", values)
        ]
        # Lists go from the database into the answer as they are, without being read and written again.
        for key in table.json_keys:
            for record in records:
                if record[key] is not None:
                    record[key] = orjson.Fragment(record[key])
        for key in table.further_keys:
            for record in records:
                if record[key] is None:
                    del record[key]
        return records


# From declarations to SQL ---------------------------------------------------------------------------------------------


def _make_table(entity: type[Entity]) -> _Table:
    columns, selected = [], []
    for field in entity.fields().values():
        if field.derived:
            continue
        looked_up = _looked_up(entity, field)
        if looked_up is None:
            columns.append(_column(field))
        selected.append(looked_up or f't."{field.key}"')
    private = _PRIVATE.get(entity, {})
    further = _FURTHER.get(entity, ())
    columns += [_Column(key, type_, False, None) for key, type_ in private.items()]
    columns += [_Column(key, "TEXT", True, None) for key in further]
    keys = [field.key for field in entity.fields().values() if not field.derived] + [*private, *further]
    select = f"SELECT {', '.join([*selected, *private, *further])} FROM {entity.plural} t"  # noqa: S608 (declared names only)
    json_keys = tuple(column.key for column in columns if column.json)
    return _Table(entity.plural, tuple(columns), tuple(keys), json_keys, further, select)


def _column(field: Field[Any]) -> _Column:
    type_ = _SQL_TYPES.get(field.kind, "TEXT")
    optional = annotation(field) is Any or type(None) in typing.get_args(annotation(field))
    if field.key == "id":
        type_ += " NOT NULL UNIQUE"
    elif not optional:
        type_ += " NOT NULL"
    return _Column(field.key, type_, field.kind not in _SQL_TYPES, _owner(field.key))


def _owner(key: str) -> type[Entity] | None:
    return next((entity for entity in STORED if entity.id_name == key), None)


def _looked_up(entity: type[Entity], field: Field[Any]) -> str | None:
    """Return the SQL for ``dataset_name`` where there is a ``dataset_id``."""
    key = field.key.removesuffix("_name") + "_id"
    owner = _owner(key) if field.key.endswith("_name") and key in entity.fields() else None
    return f"(SELECT name FROM {owner.plural} WHERE id = t.{key})" if owner else None  # noqa: S608 (declared names only)


def _create(entity: type[Entity]) -> Iterator[str]:
    table = _TABLES[entity]
    lines = ["seq INTEGER PRIMARY KEY"]
    for column in table.columns:
        reference = column.refers_to and f" REFERENCES {column.refers_to.plural}(id) ON DELETE CASCADE"
        lines.append(f'"{column.key}" {column.sql_type}{reference or ""}')
    unique = _UNIQUE.get(entity, ())
    if unique:
        lines.append(f"UNIQUE ({', '.join(unique)})")
    yield f"CREATE TABLE {table.name} ({', '.join(lines)})"
    for column in table.columns:
        # Deletes look for what refers to them; listings take a part of what belongs to something, in order.
        if column.refers_to:
            yield f"CREATE INDEX {table.name}_{column.key} ON {table.name}({column.key})"
    if entity in _INDEXED:
        yield f"CREATE INDEX {table.name}_filtered ON {table.name}({', '.join(_INDEXED[entity])})"


def _conditions(where: Where) -> tuple[str, list[Any]]:
    parts, values = [], []
    for key, value in where.items():
        if not isinstance(value, (list, tuple, set)):
            parts.append(f't."{key}" = ?')
            values.append(value)
        elif len(value) == 1:  # an equation lets an index give the order as well
            parts.append(f't."{key}" = ?')
            values.extend(value)
        else:
            parts.append(f't."{key}" IN (SELECT value FROM json_each(?))')  # noqa: S608 (declared names only)
            values.append(orjson.dumps(list(value)).decode())
    return (" WHERE " + " AND ".join(parts) if parts else ""), values


def _values(table: _Table, record: Where) -> Iterator[Any]:
    for column in table.columns:
        value = record.get(column.key)
        yield _encoded(value) if column.json else value


def _encoded(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


_TABLES = {entity: _make_table(entity) for entity in STORED}
