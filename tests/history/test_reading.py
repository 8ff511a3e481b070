"""Files as people have them: every form gives the same calls, and what is broken says where."""

import gzip
import io
import json
import tracemalloc
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.history import support
from webapp.config import Settings
from webapp.services.imports.containers import RATIO, Stream
from webapp.services.imports.reading import Place
from webapp.services.imports.texts import Position, texts

CALLS = support.calls(40)
SETTINGS = Settings(data_dir=Path("/nowhere"), database_url="sqlite://")


def events_of(pieces):
    """The calls in some pieces, as values."""
    return [json.loads(event) for piece in pieces for event in piece.events]


def problems_of(pieces):
    """(file, line, reason) of what could not be read."""
    return [(piece.file, piece.line, piece.problem) for piece in pieces if piece.problem]


@pytest.mark.parametrize("form", support.forms(CALLS))
def test_every_form_gives_the_same_calls(form, tmp_path):
    """Segment's archive, NDJSON, arrays, batches, zip and tar: nobody has to unpack or convert anything."""
    path = tmp_path / "archive"
    path.write_bytes(support.forms(CALLS)[form])
    pieces = support.read(path, SETTINGS)
    assert problems_of(pieces) == []
    assert events_of(pieces) == CALLS


@pytest.mark.parametrize("form", support.forms(CALLS))
def test_reading_goes_on_at_any_place(form, tmp_path):
    """Whoever takes over after a kill reads exactly what is left, wherever that was."""
    path = tmp_path / "archive"
    path.write_bytes(support.forms(CALLS)[form])
    pieces = support.read(path, SETTINGS)
    for number, piece in enumerate(pieces):
        kept = Place.load(json.loads(json.dumps(piece.place.dump())))
        assert events_of(support.read(path, SETTINGS, kept)) == events_of(pieces[number + 1 :])


def test_a_folder_of_segment_is_read_file_by_file(tmp_path):
    """`aws s3 sync` gives a tree of days; it is read in its order, and Segment's own test file is not."""
    for day, number in ((1767225600000, 0), (1767312000000, 20)):
        place = tmp_path / "segment-logs" / "abc" / str(day)
        place.mkdir(parents=True)
        (place / f"{day}.gz").write_bytes(gzip.compress(support.ndjson(CALLS[number : number + 20])))
    (tmp_path / "segment-logs" / "abc" / "dummy-object.txt").write_text("a test")
    given = support.files.in_place([tmp_path])
    assert [name.rsplit("/", 1)[1] for name, *_ in given] == ["1767225600000.gz", "1767312000000.gz"]
    assert events_of([p for _, path, _ in given for p in support.read(path, SETTINGS)]) == CALLS


@pytest.mark.parametrize(
    ("content", "problems", "count"),
    [
        (
            b'{"a":1}\n{"b":\nnull\n\n[3, {"c":1}]\n{}\n{"d":1}',
            [
                (2, "it is not JSON (character 5)"),
                (3, "it is neither a JSON object nor an array"),
                (5, "it is not a JSON object"),
                (6, "it is an empty object"),
            ],
            3,
        ),
        (b'[{"a":1}, nonsense, {"b" 2},\n"x", {"c":1}]', [(1, "it is"), (1, "it is"), (2, "it is")], 2),
        (b"\x89PNG\r\n\x1a\n\0\0", [(0, "it is not JSON in UTF-8")], 0),
        (gzip.compress(support.ndjson(CALLS), 0)[:-20], [(39, "after line 39 it is cut short")], 39),
        (gzip.compress(b'{"a":1}\n') + b"tail", [(0, "it is damaged")], 1),
        (support.zipped({"x": b'{"a":1}'})[:-9], [(0, "it is damaged, or cut short")], 0),
        (support.zipped({"a.zip": support.zipped({"x": b"1"})}), [(0, "it is a zip inside another")], 0),
        (b'{"a":"' + b"x" * (1 << 20) + b'"}\n{"b":1}', [(1, "a call has more than 1,048,576 bytes")], 1),
        (b'{"a":"' + b"x" * (6 << 20) + b'"}\n{"b":1}', [(1, "it has more than 5,242,880 bytes")], 1),
        (b'[{"a":"' + b"x" * (6 << 20) + b'"},{"b":1}]', [(1, "it has more than 5,242,880 bytes")], 1),
        (b"[" * 600 + b"]" * 600, [(1, "it nests more than 512 levels deep")], 0),
    ],
    ids=[
        *("lines", "array", "binary", "cut", "tail", "broken zip", "zip in a zip"),
        *("large call", "large line", "large element", "deep"),
    ],
)
def test_what_cannot_be_read_is_named_and_its_neighbours_go_on(content, problems, count, tmp_path):
    """A broken line costs itself; the report says in which file and line it stands, and why."""
    path = tmp_path / "archive"
    path.write_bytes(content)
    pieces = support.read(path, SETTINGS)
    found = problems_of(pieces)
    assert len(found) == len(problems)
    for (_, line, reason), (wanted, text) in zip(found, problems, strict=True):
        assert (line, reason[: len(text)]) == (wanted, text)
    assert len(events_of(pieces)) == count


def test_one_broken_file_of_an_archive_leaves_the_others(tmp_path):
    """A zip is read to its end, whatever one of its files is."""
    path = tmp_path / "a.zip"
    inside = {"1.gz": gzip.compress(support.ndjson(CALLS))[:40], "2.json": b'{"a":1}', "3.png": b"\0"}
    path.write_bytes(support.zipped(inside))
    pieces = support.read(path, SETTINGS)
    assert [file for file, *_ in problems_of(pieces)] == ["a.zip › 1.gz", "a.zip › 3.png"]
    assert events_of(pieces)[-1:] == [{"a": 1}]


@cache
def bomb(layers):
    """300 MiB, packed so often."""
    return gzip.compress(bomb(layers - 1) if layers > 1 else b"0" * (300 << 20), 9)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_bomb_is_put_out_early(layers, tmp_path):
    """A file that unpacks to a thousand times its size is left long before it has filled anything."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(bomb(layers))
    tracemalloc.start()
    pieces = support.read(path, SETTINGS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [p.problem for p in pieces] == [
        f"it unpacks to more than {RATIO} times its size, which calls never do"
    ]
    assert peak < 48 << 20


@pytest.mark.parametrize("form", ["lines", "array"])
def test_memory_does_not_grow_with_the_archive(form):
    """Many gigabytes are read in the memory that a few megabytes take."""
    line = json.dumps(support.identify(1, notes="x" * 4000)).encode()
    left = 64 << 20
    begun = False

    def endless(size):
        nonlocal left, begun
        left -= size
        before = b"[" if form == "array" and not begun else b""
        begun = True
        return (
            b"" if left < 0 else before + (line + (b"," if form == "array" else b"\n")) * (size // len(line))
        )

    tracemalloc.start()
    count = sum(1 for _ in texts(Stream(endless), Position(), 5 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 10_000
    assert peak < 8 << 20


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text('ab"\\[]{},\n'),
            lambda inner: st.lists(inner) | st.dictionaries(st.text('a"\\]}', max_size=3), inner),
            max_leaves=20,
        ).filter(lambda value: isinstance(value, dict | list))
    ),
    st.integers(1, 9),
    st.sampled_from([None, 2]),
)
def test_elements_are_cut_where_they_end_however_the_pieces_fall(values, piece, indent):
    """Brackets and quotes in strings, escapes on the edge of a piece: the elements are what was written."""
    data = json.dumps(values, indent=indent).encode()
    file = io.BytesIO(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "webapp.services.imports.texts.PIECE", 16 * piece
        )  # or the first look takes in all of it
        found = list(texts(Stream(lambda size: file.read(min(size, piece))), Position(), 1 << 20))
    assert [json.loads(text.text) for text in found] == values
