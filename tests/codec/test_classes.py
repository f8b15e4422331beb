"""What users see of the classes made from an IDL."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from enum import IntEnum
from typing import Any

import pytest

from tests.codec.schemas import ALL, NOT_FOUND, POINT, ROLE, SHAPE, STRICT, all_values, enum, field, struct
from thriftserver.errors import IdlError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of, enum_of, materialize
from thriftserver.schema.frozen import FrozenMap
from thriftserver.schema.special import which

Point, Shape, NotFound, Strict, Role = (
    class_of(POINT),
    class_of(SHAPE),
    class_of(NOT_FOUND),
    class_of(STRICT),
    enum_of(ROLE),
)


def test_structs_take_positions_and_names() -> None:
    point: Any = Point(1, y=2)
    assert (point.x, point.y) == (1, 2)
    assert point == Point(x=1, y=2) != Point(1)
    assert Point().x is None
    for bad in (lambda: Point(1, 2, 3), lambda: Point(z=1), lambda: Point(1, x=2)):
        with pytest.raises(TypeError):
            bad()


@pytest.mark.parametrize("cls", [Point, Shape, NotFound])
def test_unknown_attributes_are_errors(cls: type) -> None:
    value: Any = cls()
    with pytest.raises(AttributeError):
        value.typo = 1
    with pytest.raises(AttributeError):
        _ = value.typo


def test_defaults_are_fresh_and_of_the_right_types() -> None:
    one: Any = Strict()
    other: Any = Strict()
    assert one.tags == ["a", "b"]
    assert one.tags is not other.tags
    assert one.where == Point(3)
    assert one.where is not other.where
    assert one.seen == {1, 2}
    assert one.known == {"a": 1}
    assert one.role is Role.ADMIN
    one.tags.append("c")
    assert other.tags == ["a", "b"]


def test_keywords_are_names_of_fields() -> None:
    value: Any = class_of(ALL)(**{"from": "here"})
    assert getattr(value, "from") == "here"


def test_classes_know_their_definition() -> None:
    assert NotFound.__doc__ == "Nothing is called that."
    assert Role.__doc__ == "What somebody may do."
    assert NotFound.__thrift__ is NOT_FOUND  # type: ignore[attr-defined]
    assert Role.__thrift__ is ROLE  # type: ignore[attr-defined]
    assert class_of(POINT) is Point
    assert Point.__module__ == "schemas"


def test_one_class_however_many_threads_ask() -> None:
    schema = struct("Busy", field(1, "a", model.I32))
    made: list[type] = []
    threads = [threading.Thread(target=lambda: made.append(class_of(schema))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1


def test_exceptions_are_exceptions() -> None:
    error: Any = NotFound("gone")
    assert (error.message, error.code, error.hints) == ("gone", 404, ["look"])
    assert str(error) == "gone"
    assert repr(error) == "NotFound(message='gone', code=404, hints=['look'])"
    assert error == NotFound("gone", 404) != NotFound("here")
    error.add_note("seen")
    error.__cause__ = ValueError()
    with pytest.raises(NotFound) as caught:
        raise error
    assert caught.value.__traceback__ is not None
    for bad in (lambda: NotFound(1, 2, 3, 4), lambda: NotFound(typo=1), lambda: NotFound(1, message=2)):
        with pytest.raises(TypeError, match="NotFound"):
            bad()


def test_a_union_holds_one_member_and_says_which() -> None:
    shape: Any = Shape(circle=1.5)
    assert (which(shape), shape.circle, shape.label) == ("circle", 1.5, None)
    shape.label = "round"
    assert (which(shape), shape.circle, shape.label) == ("label", None, "round")
    shape.circle = None  # was not set: nothing changes
    assert which(shape) == "label"
    shape.label = None
    assert which(shape) is None
    assert shape == Shape()
    with pytest.raises(TypeError, match="one member at most, got circle, label"):
        Shape(circle=1.0, label="x")
    with pytest.raises(AttributeError):
        shape.__which__ = "circle"
    match Shape(label="a"):
        case Shape(label=str() as text):  # type: ignore[misc]
            assert text == "a"
    assert repr(Shape(label="a")) == "Shape(label='a')"


def test_enums_are_int_enums() -> None:
    assert issubclass(Role, IntEnum)
    assert Role.ADMIN == 7
    assert Role(7) is Role.ADMIN
    assert Role["GUEST"] == 0
    aliased: Any = enum_of(enum("Aliased", ONE=1, UNO=1, mro=2, name=3, _x_=4))
    assert aliased.UNO is aliased.ONE
    assert aliased.mro_ == 2


@pytest.mark.parametrize("value", [Point(1, 2), Shape(corners=[Point(1)]), Strict(1), Role.ADMIN, all_values()])
def test_values_copy_and_pickle(value: Any) -> None:
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(value, protocol))
        assert back == value
        assert type(back) is type(value)


def test_exceptions_pickle_with_their_notes() -> None:
    error: Any = NotFound("gone", 1)
    error.add_note("seen")
    back = pickle.loads(pickle.dumps(error))
    assert back == error
    assert back.__notes__ == ["seen"]
    assert copy.copy(error) == error


def test_copies_are_as_deep_as_they_say() -> None:
    value: Any = Strict(1)
    assert copy.copy(value).tags is value.tags
    assert copy.deepcopy(value).tags is not value.tags


def test_hashes_are_by_value() -> None:
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert {Point(1): "a"}[Point(1)] == "a"
    assert hash(Strict(1)) == hash(Strict(1))  # lists in it count as tuples
    assert hash(Shape(label="a")) == hash(Shape(label="a"))
    assert hash(NotFound("a")) == hash(NotFound("a"))
    frozen = FrozenMap({"a": (1, 2)})
    assert frozen == {"a": (1, 2)}
    assert dict.fromkeys("a", (1, 2)) == frozen
    assert hash(frozen) == hash(FrozenMap({"a": (1, 2)}))
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    with pytest.raises(AttributeError):
        frozen.x = 1  # type: ignore[attr-defined]


def test_reprs_are_short() -> None:
    huge: Any = class_of(ALL)(text="x" * 10**6, names=["y" * 1000] * 1000, data=b"z" * 10**6)
    assert len(repr(huge)) < 1_100
    loop: Any = Strict(1)
    loop.tags = [loop]
    assert "..." in repr(loop)
    assert repr(Point(1)) == "Point(x=1)"


def test_reserved_names_are_refused() -> None:
    with pytest.raises(IdlError, match="'__init__' is reserved"):
        class_of(struct("Bad", field(1, "__init__", model.I32)))


def test_materialize_makes_fresh_values() -> None:
    type = model.Map(model.List(model.I32), model.Set(ROLE))
    value = model.Pairs((((1, 2), (7, 99)),))
    assert materialize(type, value) == {(1, 2): {Role.ADMIN, 99}}
    assert materialize(type, value) is not materialize(type, value)
    assert materialize(POINT, model.Literal(x=1)) == Point(1)


def test_classes_of_a_forgotten_idl_can_be_collected() -> None:
    import weakref

    schema = struct("Gone", field(1, "a", model.I32))
    reference = weakref.ref(class_of(schema))
    del schema
    gc.collect()
    assert reference() is None
