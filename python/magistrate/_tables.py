"""Tables of many kinds: their texts out, new columns in. The table itself does not change."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ._errors import MagistrateError

Columns = Dict[str, List[Any]]
"""New columns: floats, or strings."""


class Table:
    """Texts in the order of some data, and a copy of the data with more columns. This kind holds a list."""

    def __init__(self, data: Any, text: str) -> None:
        self.data = data
        self.text = text
        self.items: List[Any] = [item if isinstance(item, Mapping) else {text: item} for item in data]
        self.names = {str(name): None for item in self.items for name in item}

    def texts(self) -> List[Any]:
        return [item.get(self.text) for item in self.items]

    def records(self) -> Iterable[Mapping[str, Any]]:
        """Returns the rows with all their columns."""
        return self.items

    def extended(self, columns: Columns) -> Any:
        rows = [dict(zip(columns, values)) for values in zip(*columns.values())]
        items = [{**item, **row} for item, row in zip(self.items, rows)]
        return items if isinstance(self.data, (list, tuple)) else iter(items)


class PandasTable(Table):
    def __init__(self, data: Any, text: str) -> None:
        self.data, self.text = data.to_frame(text) if data.ndim == 1 else data, text
        self.names = dict.fromkeys(map(str, self.data.columns))

    def texts(self) -> List[Any]:
        # NaN is a missing text, as None is in other tables.
        return [None if isinstance(text, float) and text != text else text for text in self.data[self.text].tolist()]

    def records(self) -> Iterable[Mapping[str, Any]]:
        records: List[Mapping[str, Any]] = self.data.to_dict("records")
        return records

    def extended(self, columns: Columns) -> Any:
        pandas = import_module("pandas")
        # `str` in pandas 3, `object` before.
        string = pandas.Series(["text"]).dtype
        kinds = {name: "float64" if is_number(name) else string for name in columns}
        index = self.data.index
        return self.data.assign(
            **{name: pandas.Series(values, index=index, dtype=kinds[name]) for name, values in columns.items()}
        )


class PolarsTable(Table):
    def __init__(self, data: Any, text: str) -> None:
        self.data, self.text = data if hasattr(data, "columns") else data.to_frame(text), text
        self.names = dict.fromkeys(self.data.columns)

    def texts(self) -> List[Any]:
        texts: List[Any] = self.data[self.text].to_list()
        return texts

    def records(self) -> Iterable[Mapping[str, Any]]:
        records: List[Mapping[str, Any]] = self.data.to_dicts()
        return records

    def extended(self, columns: Columns) -> Any:
        polars = import_module("polars")
        kinds = {name: polars.Float64 if is_number(name) else polars.String for name in columns}
        return self.data.with_columns(
            [polars.Series(name, values, dtype=kinds[name]) for name, values in columns.items()]
        )


class ArrowTable(Table):
    def __init__(self, data: Any, text: str) -> None:
        self.data, self.text, self.names = data, text, dict.fromkeys(data.column_names)

    def texts(self) -> List[Any]:
        texts: List[Any] = self.data[self.text].to_pylist()
        return texts

    def records(self) -> Iterable[Mapping[str, Any]]:
        records: List[Mapping[str, Any]] = self.data.to_pylist()
        return records

    def extended(self, columns: Columns) -> Any:
        arrow, data = import_module("pyarrow"), self.data
        for name, values in columns.items():
            kind = arrow.float64() if is_number(name) else arrow.string()
            data = data.append_column(arrow.field(name, kind), arrow.array(values, kind))
        return data


class DatasetTable(Table):
    def __init__(self, data: Any, text: str) -> None:
        self.data, self.text, self.names = data, text, dict.fromkeys(data.column_names)

    def texts(self) -> List[Any]:
        return list(self.data.with_format(None)[self.text])

    def records(self) -> Iterable[Mapping[str, Any]]:
        records: Iterable[Mapping[str, Any]] = self.data.with_format(None)
        return records

    def extended(self, columns: Columns) -> Any:
        datasets = import_module("datasets")
        kinds = {name: datasets.Value("float64" if is_number(name) else "string") for name in columns}
        added = datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))
        whole = datasets.concatenate_datasets([self.data.with_format(None), added], axis=1)
        form = self.data.format
        if form["type"] is None:
            return whole
        return whole.with_format(form["type"], [*form["columns"], *columns], **form["format_kwargs"])


KINDS = {"pandas": PandasTable, "polars": PolarsTable, "pyarrow": ArrowTable, "datasets": DatasetTable}
"""Kinds of tables by the package of their type."""

CLASSES = {"DataFrame", "Series", "Table", "Dataset"}


def opened(data: Any, text: str) -> Table:
    """Returns the table in some data. Checks that it has the column."""
    found: Optional[Table] = None
    for kind in type(data).__mro__:
        package = kind.__module__.split(".")[0]
        if package in KINDS and kind.__name__ in CLASSES:
            found = KINDS[package](data, text)
            break
    if found is None:
        if isinstance(data, (str, bytes, Mapping)) or not hasattr(data, "__iter__"):
            hint = "pass a list, a DataFrame of pandas or polars, a Table of pyarrow, or a Dataset; check takes one text"
            raise MagistrateError(f"{type(data).__name__} is not a table of texts", hint)
        found = Table(data, text)
    if found.names and text not in found.names:
        names = ", ".join(map(repr, list(found.names)[:20]))
        raise MagistrateError(f"there is no column {text!r}", f"text= names one of {names}")
    return found


def is_number(column: str) -> bool:
    """Reports whether a new column has numbers."""
    path = column.split(".")
    name = path[-1]
    return "probability" in name or name in NUMBERS or path[-2:-1] in (["usage"], ["pieces"])


NUMBERS = {"mass", "calibrated", "threshold", "min_mass"}


def value(row: Mapping[str, Any], field: str) -> Any:
    """Returns a field of a row, by its path, as a number or a string."""
    found: Any = row
    for name in field.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None or isinstance(found, str):
        return found
    if field == "error":
        return found["message"]
    return float(found) if is_number(field) else json.dumps(found)


def plain(value: Any) -> Any:
    """Returns a value in a form that JSON has. An unknown value becomes null, or text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else None
