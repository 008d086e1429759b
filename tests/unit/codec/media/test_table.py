"""Tables: rows, columns and frames into Parquet, and out of it with and without libraries."""

import datetime as dt
import io
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.codec.media.encode import encode_media
from otel_experiments.codec.media.image import Image
from otel_experiments.codec.media.parquet_read import UnreadableTableError, read_parquet
from otel_experiments.codec.media.table import Table, table_of
from otel_experiments.codec.media.thrift import Long, varint, write_struct
from otel_experiments.errors import MediaRefusedError


def stored(value: object, told: list[str] | None = None) -> bytes:
    """Return the bytes that a table is stored as; what was said of it is added to `told`, and is nothing without it."""
    said: list[str] = []
    encoded = encode_media(value, said.append)
    assert encoded is not None
    assert isinstance(encoded.data, bytes)
    if told is None:
        assert said == []
    else:
        told += said
    return encoded.data


CELLS = {
    "text": ["a", "", "Grüße"],
    "whole": [1, -(2**63), 2**63 - 1],
    "float": [0.5, math.inf, -0.0],
    "is": [True, False, True],
    "day": [dt.date(1969, 12, 31), dt.date(1, 1, 1), dt.date(2026, 5, 4)],
    "time": [dt.datetime(1969, 1, 1), dt.datetime(2026, 5, 4, 3, 2, 1, 123456), dt.datetime(1, 1, 1)],
    "zone": [dt.datetime(2026, 5, 4, tzinfo=dt.UTC)] * 3,
    "bytes": [b"", b"\0\1", b"x"],
    "mixed": [1, "one", [1, {"k": None}]],
    "gap": [None, 2, None],
    "none": [None, None, None],
    "large": [2**70, 1, 0],
}


def test_cells_come_back_as_they_were_without_a_library() -> None:
    """Texts, numbers, times, bytes, and cells of several types come back exactly, and so does what is missing."""
    assert table_of(stored(Table(data=CELLS))).data == [
        list(row) for row in zip(*CELLS.values(), strict=True)
    ]


def test_other_programs_read_the_file() -> None:
    """Arrow reads the types of the columns; cells of several types are JSON there."""
    read = pq.read_table(io.BytesIO(stored(Table(data=CELLS)))).to_pydict()
    assert read | {"mixed": 0, "large": 0} == CELLS | {"mixed": 0, "large": 0}
    assert read["mixed"] == ["1", '"one"', '[1, {"k": null}]']
    assert polars_rows(stored(Table(data=CELLS)))[0][:4] == ("a", 1, 0.5, True)


def polars_rows(data: bytes) -> list[tuple[Any, ...]]:
    """Return the rows that polars reads."""
    return pl.read_parquet(io.BytesIO(data)).rows()


CELL = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)


@given(
    st.lists(
        st.tuples(CELL, st.none() | st.text("ab\N{SNOWMAN}"), st.booleans(), st.floats(allow_nan=False)),
        min_size=1,
    )
)
def test_any_rows_come_back(rows: list[tuple[Any, ...]]) -> None:
    """Whatever the cells, rows come back as they were; bytes among other types are the one exception."""
    if any(isinstance(row[0], bytes) for row in rows) and any(
        not isinstance(row[0], bytes | None) for row in rows
    ):
        rows = [(None, *row[1:]) for row in rows]
    again = table_of(stored(Table(columns=["a", "b", "c", "d"], data=rows))).data
    assert again == [list(row) for row in rows]
    assert [[type(cell) is int or type(cell) for cell in row] for row in again] == [
        [type(cell) is int or type(cell) for cell in row] for row in rows
    ] or {type(row[0]) for row in rows} >= {int, float}  # whole numbers among floats are floats


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 1000])
@pytest.mark.parametrize(
    "dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?", "M8[s]", "M8[ns]", "U3"]
)
def test_arrays_are_columns_of_their_type(dtype: str, length: int) -> None:
    """An array of every type is a column; Arrow and we read what numpy has."""
    column = np.arange(length).astype(dtype)
    data = stored(Table(data={"c": column}))
    assert pq.read_table(io.BytesIO(data)).column("c").to_numpy().astype(dtype).tolist() == column.tolist()
    ours = table_of(data).get_column("c")
    assert ours == (column.astype("M8[us]") if column.dtype.kind == "M" else column).tolist()


def frame() -> Any:
    """Return a frame of pandas with what frames hold."""
    return pd.DataFrame(
        {
            "number": [0.5, math.nan],
            "whole": [1, 2],
            "text": ["a", None],
            "kind": pd.Categorical(["x", "y"]),
            "gap": pd.array([1, None], dtype="Int64"),
            "when": pd.to_datetime(["2026-01-01", None]),
            "zone": pd.to_datetime(["2026-01-01", "2026-01-02"]).tz_localize("Europe/Paris"),
            "any": [1, "one"],
        },
        index=["r1", "r2"],
    )


def test_frame_of_pandas_is_kept_with_its_index() -> None:
    """A frame of pandas comes back with its index as a column, what is missing as None."""
    zone = dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)
    first, second = table_of(stored(frame())).data
    assert first == ["r1", 0.5, 1, "a", "x", 1, dt.datetime(2026, 1, 1), zone, 1]
    assert second[3:7] == [None, "y", None, None]
    assert math.isnan(second[1])


def read_back(value: object) -> Any:
    """Return the frame of pandas that a stored value is read as."""
    return table_of(stored(value)).to_pandas()


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(np.eye(2)),
        pd.DataFrame(np.eye(2), index=["a", "b"]),
        pd.DataFrame(np.eye(3)).iloc[1:],
        pd.DataFrame({"x": [1, 2]}, index=pd.Index([3, 4], name="id")),
        pd.DataFrame({"index": [1, 2]}, index=[3, 4]),
        pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_product([["a"], ["x", 1]], names=["up", None])),
        pd.DataFrame(np.eye(2), index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])),
        pd.DataFrame(np.eye(2), columns=pd.Index([0, True], name="class", dtype=object)),
        pd.DataFrame({"x": [1.5]}, index=pd.to_datetime(["2026-01-02"]).as_unit("us")),
        pd.DataFrame({"id": pd.array([2**60 + 1, None], dtype="Int64")}),
        pd.DataFrame({"id": pd.array([2**63 + 1, None], dtype="UInt64")}),
        pd.DataFrame({"is": pd.array([True, None], dtype="boolean")}),
    ],
)
def test_frame_of_pandas_comes_back_with_labels_index_and_digits(frame: Any) -> None:
    """Numbers and tuples as labels, an index, and integers beside missing ones are what they were."""
    pd.testing.assert_frame_equal(read_back(frame), frame, check_column_type=False, check_freq=False)
    assert list(map(type, read_back(frame).columns)) == list(map(type, frame.columns))


def test_integers_keep_their_digits_in_frames_of_pandas() -> None:
    """Large integers beside None or floats are exact in the frame that a table is made into."""
    cells = {
        "gap": [2**60 + 1, None],
        "unsigned": [2**63 + 1, None],
        "large": [2**70, None],
        "floats": [2**60 + 1, 0.5],
    }
    for made in (Table(cells).to_pandas(), read_back(Table(cells))):
        found = {name: [None if cell is pd.NA else cell for cell in made[name].tolist()] for name in cells}
        assert found == cells
        assert made.dtypes.astype(str).tolist() == ["Int64", "UInt64", "object", "object"]
    small = Table({"whole": [1, 2], "float": [0.5, None], "both": [1, 0.5]}).to_pandas()
    assert small.dtypes.astype(str).tolist() == ["int64", "float64", "float64"]


def test_labels_that_cannot_be_kept_are_said() -> None:
    """Labels of columns that no table holds, times say, become texts, and that is told."""
    told: list[str] = []
    frame = pd.DataFrame([[1, 2]], columns=pd.to_datetime(["2026-01-01", "2026-01-02"]))
    assert table_of(stored(frame, told)).to_pandas().columns[0] == "2026-01-01 00:00:00"
    assert told == ["the labels of 2 columns are kept as texts: a table cannot hold Timestamp as a label"]


def test_columns_that_are_added_to_a_frame_have_their_names() -> None:
    """A column and a row that are added to a frame with an index of its own are in the frame read back."""
    table = Table(pd.DataFrame(np.eye(2), index=["a", "b"]))
    table.add_column("c", [1, 2])
    table.add_data("z", 0, 0, 3)
    made = read_back(table)
    assert (made.columns.tolist(), made.index.tolist()) == ([0, 1, "c"], ["a", "b", "z"])


def test_frames_of_polars_and_arrow_are_kept_with_their_types() -> None:
    """Types that only polars or Arrow have, lists say, are there when they read the table again."""
    cells = {"l": [[1, 2], [3]], "s": ["a", None], "i": [1, 2]}
    polars, arrow = pl.DataFrame(cells, schema_overrides={"i": pl.Int16}), pa.table(cells)
    assert pl.read_parquet(io.BytesIO(stored(polars))).equals(polars)
    assert table_of(stored(arrow)).to_arrow().equals(arrow)
    assert table_of(stored(polars)).columns == ["l", "s", "i"]
    assert stored(arrow) == stored(arrow)
    assert table_of(stored(arrow.to_batches()[0])).to_arrow().to_pydict() == cells


def test_flat_frames_of_polars_and_arrow_are_read_without_them() -> None:
    """A table without nested columns needs no library to be read, whoever wrote it."""
    cells = {
        "s": ["a", None, "b"] * 50,
        "i": [1, 2, 3] * 50,
        "b": [True, None, False] * 50,
        "t": [dt.datetime(2026, 1, 2, 3)] * 150,
        "d": [dt.date(2026, 1, 2), None, None] * 50,
        "f": [0.5, math.inf, None] * 50,
    }
    for value in (
        pl.DataFrame(cells),
        pa.table(cells),
        pl.DataFrame(cells, schema_overrides={"i": pl.UInt64}),
    ):
        assert read_parquet(stored(value))[0] == cells


def test_nested_column_names_itself_where_no_library_reads_it() -> None:
    """What is not read without pyarrow says which column it is."""
    with pytest.raises(UnreadableTableError, match="column 'l' is nested"):
        read_parquet(stored(pa.table({"l": [[1]]})))


def test_table_becomes_a_frame_of_each_library() -> None:
    """A stored table becomes a frame of pandas, polars or Arrow."""
    table = table_of(stored(Table(["a", "b"], [[1, "x"], [2, "y"]])))
    assert (
        table.to_pandas().to_dict("list")
        == table.to_polars().to_dict(as_series=False)
        == {"a": [1, 2], "b": ["x", "y"]}
    )
    assert table.to_arrow().to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    "table",
    [
        Table(["a", "b"], [[1, 2], [3, 4]]),
        Table(data=[{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        Table(data={"a": [1, 3], "b": np.array([2, 4])}),
        Table(["a", "b"], np.array([[1, 2], [3, 4]])),
        Table(dataframe=pd.DataFrame({"a": [1, 3], "b": [2, 4]})),
        Table(["a", "b"], rows=[(1, 2), (3, 4)]),
        Table(["b", "a"], pl.DataFrame({"b": [1, 3], "a": [2, 4]})),
        Table(data=pa.table({"a": [1, 3], "b": [2, 4]})),
    ],
    ids=["rows", "mappings", "columns", "array", "pandas", "tuples", "polars", "arrow"],
)
def test_rows_columns_arrays_and_frames_are_tables(table: Table) -> None:
    """Whatever form the cells come in, the rows are the same, and can be added to."""
    assert table_of(stored(table)).data == [[1, 2], [3, 4]]
    table.add_data(5, 6)
    table.add_column("c", ["x", "y", "z"])
    assert table_of(stored(table)).data == [[1, 2, "x"], [3, 4, "y"], [5, 6, "z"]]


@pytest.mark.parametrize(
    "table",
    [
        Table(pd.DataFrame({"a": [1, 3], "b": [2, 4]})),
        Table(pl.DataFrame({"a": [1, 3], "b": [2, 4]})),
        Table(pa.table({"a": [1, 3], "b": [2, 4]})),
        Table({"a": [1, 3], "b": [2, 4]}),
        Table([[1, 2], [3, 4]]),
        Table(np.array([[1, 2], [3, 4]])),
        Table([{"a": 1, "b": 2}, {"a": 3, "b": 4}]),
        Table(row for row in [(1, 2), (3, 4)]),
        Table(["a", "b"], [[1, 2], [3, 4]]),
    ],
    ids=["pandas", "polars", "arrow", "mapping", "rows", "array", "mappings", "generator", "names"],
)
def test_data_that_is_given_first_and_alone_is_the_table(table: Table) -> None:
    """What is given alone is the data, whatever its form: no row is lost because its place is that of the names."""
    assert table_of(stored(table)).data == [[1, 2], [3, 4]]


def test_a_column_of_texts_that_is_given_alone_is_data() -> None:
    """A series of texts is a column of cells; only a list, an array or an index of texts names columns."""
    assert Table(pd.Series(["a", "b"])).data == Table(pl.Series(["a", "b"])).data == [["a"], ["b"]]
    assert Table(np.array(["a", "b"])).columns == Table(pd.Index(["a", "b"])).columns == ["a", "b"]


def test_names_that_are_numbers_name_the_columns_of_rows_that_are_added() -> None:
    """A table that is made with numbers as names and filled row by row has these columns."""
    table = Table(columns=[0, 1])
    table.add_data(5, 6)
    table.add_data(7, 8)
    assert (table.columns, table.data) == (["0", "1"], [[5, 6], [7, 8]])


def test_names_that_are_none_are_said() -> None:
    """Names that are no list change nothing but are told; making the table raises nothing."""
    told: list[str] = []
    assert table_of(stored(Table("ab", [[1, 2]]), told)).columns == ["0", "1"]
    assert table_of(stored(Table(3, [[1]]), told)).columns == ["0"]
    assert [text.partition(":")[0] for text in told] == [
        "columns='ab' is no list of names",
        "columns=3 is no list of names",
    ]


def test_a_frame_that_was_changed_becomes_a_frame_with_the_change() -> None:
    """Names and columns that were given beside a frame are in the frame that it is made into."""
    for frame in (pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), pa.table({"a": [1]})):
        assert Table(["b"], frame).to_pandas().columns.tolist() == ["b"]
        table = Table(frame)
        table.add_column("c", [2])
        assert table.to_pandas().columns.tolist() == table.to_polars().columns == ["a", "c"]
        assert table.to_arrow().column_names == ["a", "c"]
    again = table_of(stored(Table({"a": [1]})))
    again.add_column("c", [2])
    assert again.to_arrow().column_names == ["a", "c"]


def test_pictures_are_cells() -> None:
    """A column may hold pictures: they come back as bytes of PNG."""
    cells = table_of(
        stored(Table(["truth", "picture"], [[3, Image(np.zeros((2, 2)))], [4, None]]))
    ).get_column("picture")
    assert cells[0].startswith(b"\x89PNG")
    assert cells[1] is None


def test_cells_that_a_table_cannot_hold_are_said_by_column() -> None:
    """A cell that cannot be kept as it is is told with its column."""
    told: list[str] = []
    data = stored(Table(["ok", "bad", "picture"], [[1, object(), Image("no.png")]]), told)
    assert table_of(data).get_column("ok") == [1]
    assert [text.partition(":")[0] for text in told] == [
        "1 values in its column 'bad' are kept as texts",
        "1 cells of its column 'picture' are left empty",
    ]


def test_rows_of_a_wrong_length_are_said() -> None:
    """A row that is too short or too long keeps what fits, and that is said."""
    told: list[str] = []
    assert table_of(stored(Table(["a", "b"], [[1], [1, 2, 3], [5, 6]]), told)).data == [
        [1, None],
        [1, 2],
        [5, 6],
    ]
    assert told == [
        "2 of its rows have not 2 cells, the first has 1: what is missing is empty, what is too much is left out"
    ]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (Table(), "the table has no columns"),
        (Table(data="text"), "not str"),
        (Table("text"), "not str"),
        (Table(3), "not int"),
        (Table(data=3), "not int"),
        (Table(["a"], pd.DataFrame({"x": [1], "y": [2]})), "1 names were given for 2 columns"),
        (Table(data={"a": [1], "b": [1, 2]}), "different numbers of cells: 'a' has 1, 'b' has 2"),
        (Table(["a", "a"], [[1, 2]]), "two columns have one name"),
        (Table(data=np.zeros((2, 2, 2))), r"shape \(2, 2, 2\) is no table"),
        (Table(data={"a": np.zeros((2, 2))}), r"has the shape \(2, 2\)"),
        (Table(dataframe=pl.DataFrame({"a": [1]}).lazy()), "pass frame.collect"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(table: Table, reason: str) -> None:
    """A table without columns, and what is none, is refused with what was found."""
    with pytest.raises(MediaRefusedError, match=reason):
        encode_media(table, pytest.fail)


def test_a_table_without_rows_keeps_its_columns() -> None:
    """A table of no rows is one, and its columns are kept."""
    assert table_of(stored(Table(["a", "b"]))).columns == ["a", "b"]


@given(st.data())
def test_damaged_tables_are_refused_never_misread_as_an_error_of_ours(data: st.DataObject) -> None:
    """A table that is cut or changed is read or refused, whatever the byte: no other exception comes out."""
    whole = stored(Table(data=CELLS))
    at = data.draw(st.integers(0, len(whole) - 1))
    is_cut = data.draw(st.booleans())
    broken = (
        whole[:at]
        if is_cut
        else whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    )
    try:
        read_parquet(broken)
    except UnreadableTableError as error:
        assert str(error)  # noqa: PT017 - both ways are right


def test_a_table_that_is_none_can_be_printed() -> None:
    """What is no table says so in its text, and raises nothing there: a debugger may ask for it."""
    assert "cannot be kept" in repr(Table(data=3))
    assert repr(Table(["a"], [[1]])) == "Table(['a'], 1 rows)"


def test_few_bytes_cannot_fill_the_memory() -> None:
    """A file that claims more cells than it may have is refused before they are made."""
    whole = stored(Table(data={"a": [None] * 3}))
    claim = write_struct({1: 1, 2: [{4: "t", 5: 1}, {1: 6, 3: 1, 4: "a"}], 3: Long(2**40), 4: [
        {1: [{2: Long(4), 3: {1: 6, 2: [0], 3: ["a"], 4: 0, 5: Long(2**40), 9: Long(4)}}], 2: Long(9), 3: Long(2**40)}
    ]})  # fmt: skip
    with pytest.raises(UnreadableTableError, match="more cells than are read"):
        read_parquet(b"PAR1" + whole[4:30] + claim + len(claim).to_bytes(4, "little") + b"PAR1")


def _file(pages: bytes, cells: int, groups: int = 1) -> bytes:
    """Return a file of one column of numbers that may be missing, each of its groups of rows being these pages."""
    column = {
        2: Long(4),
        3: {1: 2, 2: [0], 3: ["a"], 4: 0, 5: Long(cells), 6: Long(9), 7: Long(9), 9: Long(4)},
    }
    group = {1: [column], 2: Long(1), 3: Long(cells)}
    footer = write_struct(
        {1: 1, 2: [{4: "schema", 5: 1}, {1: 2, 3: 1, 4: "a"}], 3: Long(cells * groups), 4: [group] * groups}
    )
    return b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _page(levels: bytes, cells: int) -> bytes:
    body = len(levels).to_bytes(4, "little") + levels
    return write_struct({1: 0, 2: len(body), 3: len(body), 5: {1: cells, 2: 0, 3: 3, 4: 3}}) + body


@pytest.mark.parametrize(
    ("hostile", "said"),
    [
        (_file(write_struct({1: 1, 2: 4, 3: -len(write_struct({1: 1, 2: 4, 3: -8}))}), 1), "size below 0"),
        (_file(_page(varint(1 << 30 | 1) + b"\xff", 5), 5), "is cut"),
        (_file(_page(varint(2**26 << 1) + b"\0", 2**26), 2**26), "more cells than are read"),
        (_file(_page(varint(2**23 << 1) + b"\0", 2**23), 2**23, groups=9), "more cells than are read"),
        (_file(_page(varint(1 << 30 | 1), 5), 5), "are cut"),
    ],
    ids=["a page before itself", "bits that are not there", "one run", "many groups", "no bits"],
)
def test_a_hostile_file_is_refused_before_it_fills_the_memory_or_the_time(hostile: bytes, said: str) -> None:
    """A few bytes cannot make a reader go round for ever, nor claim gigabytes of cells."""
    with pytest.raises(UnreadableTableError, match=said):
        read_parquet(hostile)


def test_a_long_word_of_many_cells_is_held_once() -> None:
    """A column in which one long text stands in every row needs the memory of one."""
    frame = pl.DataFrame({"a": ["x" * 100_000] * 5_000})
    file = io.BytesIO()
    pq.write_table(frame.to_arrow().cast(pa.schema([("a", pa.string())])), file, compression="gzip")

    cells = read_parquet(file.getvalue())[0]["a"]

    assert (len(cells), len(set(map(id, cells)))) == (5_000, 1)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([2**53 + 1, 0.5, None], ["9007199254740993", "0.5", None]),
        ([10**400, 1.5], [str(10**400), "1.5"]),
        ([2**53, 0.5, None], [float(2**53), 0.5, None]),
        ([2**53 + 1, None], [2**53 + 1, None]),
    ],
)
def test_no_integer_becomes_another_beside_a_double(cells: list[Any], expected: list[Any]) -> None:
    """A column of doubles and an integer that none of them can be is one of texts in polars, with each digit."""
    assert Table({"a": cells}).to_polars()["a"].to_list() == expected
