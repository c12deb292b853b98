"""Tables of other packages: 2,000 rows in, the same kind, index and types out. Kinds that are not installed are skipped."""

import datetime
import unittest

import magistrate
from support import SPAM, Case, texts

COLUMNS = ["verdict", "category", "category_title", "probability", "rationale", "error"]

ROWS = 2000

BODY = texts(ROWS, 40)
BODY[7] = None
BODY[1999] = ""


def installed(name):
    try:
        return __import__(name)
    except ImportError:
        return None


pandas, polars, pyarrow, datasets = map(installed, ["pandas", "polars", "pyarrow", "datasets"])


class TableCase(Case):
    def check_columns(self, new):
        """Holds new columns to the rows of a list with the same texts."""
        rows = magistrate.label([{"text": text} for text in BODY], "spam")
        for name in COLUMNS:
            # assertEqual would take minutes to show the difference of long lists.
            pairs = zip(list(new[name]), [row[name] for row in rows])
            self.assertEqual([(name, number, *pair) for number, pair in enumerate(pairs) if pair[0] != pair[1]][:3], [])
        self.assertEqual(new["verdict"][7], None)
        self.assertGreater(new["verdict"].count("violation"), 100)


@unittest.skipUnless(pandas, "pandas is not installed")
class Pandas(TableCase):
    def frame(self, index=None):
        zone = datetime.timezone.utc
        return pandas.DataFrame(
            {
                "count": range(ROWS),
                "body": BODY,
                "kind": pandas.Categorical(["a", "b"] * (ROWS // 2)),
                "maybe": pandas.array([1, None] * (ROWS // 2), dtype="Int64"),
                "time": [datetime.datetime(2026, 1, 1, tzinfo=zone)] * ROWS,
                "list": [[1, 2]] * ROWS,
                "is": [True, False] * (ROWS // 2),
                3: 0.5,
            },
            index=index,
        )

    def indexes(self):
        yield None
        yield [7] * ROWS
        yield pandas.date_range("2026-01-01", periods=ROWS, freq="h", name="hour")
        yield pandas.MultiIndex.from_product([["x", "y"], range(ROWS // 2)], names=["a", "b"])

    def test_index_and_types_stay(self):
        for index in self.indexes():
            before = self.frame(index)
            copy = before.copy(deep=True)
            after = magistrate.label(before, "spam", text="body")
            pandas.testing.assert_frame_equal(before, copy)
            pandas.testing.assert_frame_equal(after[before.columns], copy)
            self.assertTrue(after.index.identical(before.index) or after.index.equals(before.index))
            self.assertEqual(after.index.names, before.index.names)
            self.assertEqual([*after.columns], [*before.columns, *COLUMNS])
            self.assertEqual(after["probability"].dtype, "float64")
            self.assertEqual(after["verdict"].dtype, pandas.Series(["a"]).dtype)
            self.assertEqual(after["error"].dtype, after["verdict"].dtype)
            self.check_columns(
                {name: [None if pandas.isna(value) else value for value in after[name].tolist()] for name in COLUMNS}
            )

    def test_part_of_a_frame_and_a_series_keep_their_order(self):
        frame = self.frame().iloc[::-7]
        after = magistrate.label(frame, ["spam", "hate"], text="body", prefix="m_")
        self.assertEqual(after.index.tolist(), frame.index.tolist())
        self.assertEqual([*after.columns][len(frame.columns) :][:2], ["m_verdict", "m_hate.verdict"])
        spam = frame["body"].str.startswith(SPAM).fillna(False).astype(bool)
        self.assertEqual(set(after["m_spam.verdict"][spam]), {"violation"})
        after = magistrate.label(self.frame()["body"], "spam", text="body")
        self.assertEqual([*after.columns], ["body", *COLUMNS])

    def test_string_types_and_an_empty_frame(self):
        kinds = ["object", "string"]
        kinds += ["string[pyarrow]"] if pyarrow else []
        for kind in kinds:
            frame = pandas.DataFrame({"text": pandas.Series([SPAM, None, "hello"], dtype=kind)})
            after = magistrate.label(frame, "spam")
            self.assertEqual(after["text"].dtype, frame["text"].dtype)
            self.assertEqual(after["verdict"].fillna("").tolist(), ["violation", "", "safe"])
        after = magistrate.label(frame.iloc[:0], "spam")
        self.assertEqual((len(after), [*after.columns]), (0, ["text", *COLUMNS]))
        with self.assertRaisesRegex(magistrate.MagistrateError, "already"):
            magistrate.label(after, "spam")

    def test_a_frame_is_a_golden_set(self):
        frame = pandas.DataFrame({"text": [SPAM, "hello"], "label": [1, 0], "time": pandas.Timestamp("2026-01-01")})
        self.assertEqual(magistrate.eval("spam", frame)["accuracy"], 1.0)


@unittest.skipUnless(polars, "polars is not installed")
class Polars(TableCase):
    def test_types_stay(self):
        before = polars.DataFrame({"count": range(ROWS), "body": BODY, "list": [[1]] * ROWS}).with_columns(
            polars.lit("a").cast(polars.Categorical).alias("kind"), polars.lit(datetime.date(2026, 1, 1)).alias("day")
        )
        after = magistrate.label(before, "spam", text="body")
        self.assertTrue(after.select(before.columns).equals(before))
        self.assertEqual(after.select(before.columns).schema, before.schema)
        kinds = [polars.String, polars.String, polars.String, polars.Float64, polars.String, polars.String]
        self.assertEqual([after.schema[name] for name in COLUMNS], kinds)
        self.check_columns({name: after[name].to_list() for name in COLUMNS})
        self.assertEqual(magistrate.label(before["body"], "spam", text="body").columns, ["body", *COLUMNS])
        self.assertEqual(magistrate.label(before.head(0), "spam", text="body").height, 0)


@unittest.skipUnless(pyarrow, "pyarrow is not installed")
class Arrow(TableCase):
    def test_types_and_metadata_stay(self):
        half = ROWS // 2
        parts = [pyarrow.chunked_array([part[:half], part[half:]], pyarrow.large_string()) for part in [BODY]]
        kind = pyarrow.array(["a", "b"] * half).dictionary_encode()
        before = pyarrow.table({"body": parts[0], "kind": kind, "count": pyarrow.array(range(ROWS), pyarrow.int16())})
        before = before.replace_schema_metadata({"source": "here"})
        after = magistrate.label(before, "spam", text="body")
        self.assertTrue(after.select(before.column_names).equals(before, check_metadata=True))
        self.assertEqual(after.schema.field("probability").type, pyarrow.float64())
        self.assertEqual(after.schema.field("error").type, pyarrow.string())
        self.check_columns({name: after[name].to_pylist() for name in COLUMNS})


@unittest.skipUnless(datasets, "datasets is not installed")
class Datasets(TableCase):
    def dataset(self):
        features = datasets.Features(
            {"body": datasets.Value("string"), "class": datasets.ClassLabel(names=["no", "yes"]), "n": datasets.Value("int32")}
        )
        return datasets.Dataset.from_dict({"body": BODY, "class": [0, 1] * (ROWS // 2), "n": range(ROWS)}, features=features)

    def test_features_and_order_stay(self):
        before = self.dataset()
        after = magistrate.label(before, "spam", text="body")
        self.assertEqual({name: after.features[name] for name in before.features}, dict(before.features))
        self.assertEqual(after.features["probability"].dtype, "float64")
        self.assertEqual(after.features["error"].dtype, "string")
        self.assertEqual(after["n"][:], before["n"][:])
        self.check_columns({name: list(after[name]) for name in COLUMNS})

    def test_parts_formats_and_splits_stay(self):
        before = self.dataset().shuffle(seed=1).filter(lambda row: row["n"] % 3 == 0).with_format("numpy")
        after = magistrate.label(before, "spam", text="body")
        self.assertEqual(list(after["n"]), list(before["n"]))
        self.assertEqual(after.format["type"], "numpy")
        splits = datasets.DatasetDict({"train": self.dataset(), "test": self.dataset().select(range(5))})
        after = magistrate.label(splits, "spam", text="body")
        self.assertEqual((type(after), after.num_rows), (datasets.DatasetDict, splits.num_rows))


if __name__ == "__main__":
    unittest.main()
