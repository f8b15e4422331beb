"""Thrift's grammar, in ply's form: each docstring is a rule, each body builds one syntax node and does nothing else.

It knows neither names nor types, and reports no errors: ``parser`` drives ply's tables over it. Terminals are tokens.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any, TypeAlias

from thriftserver.idl import ast
from thriftserver.idl.lexer import literals as literals
from thriftserver.idl.lexer import tokens as tokens

#: ``p[0]`` is the node to build, ``p[1]`` and on what the rule's right side has.
P: TypeAlias = list[Any]

start = "items"


def p_items(p: P) -> None:
    """items : items item"""
    p[1].append(p[2])
    p[0] = p[1]


def p_new_list(p: P) -> None:
    """items :
    members :
    fields :
    functions :
    list_items :
    map_items :
    annotation_items :
    annotations :
    throws :"""
    p[0] = []


def p_nothing(p: P) -> None:
    """separator :
    field_id :
    requiredness :
    default :
    extends :
    oneway :
    cpp_type :
    xsd_all :
    xsd_optional :
    xsd_nillable :
    xsd_attrs :
    reference :"""
    p[0] = None


def p_same(p: P) -> None:
    """item : include
    item : namespace
    item : typedef
    item : enum
    item : struct
    item : service
    item : const
    type : IDENTIFIER
    type : base_type
    type : container_type
    base_name : BOOL
    base_name : BYTE
    base_name : I8
    base_name : I16
    base_name : I32
    base_name : I64
    base_name : DOUBLE
    base_name : STRING
    base_name : BINARY
    oneway : ONEWAY
    oneway : ASYNC
    requiredness : REQUIRED
    requiredness : OPTIONAL
    name : IDENTIFIER
    name : ASYNC
    name : BYTE
    struct_kind : STRUCT
    struct_kind : UNION
    value : list_value
    value : map_value
    xsd_all : XSD_ALL
    xsd_optional : XSD_OPTIONAL
    xsd_nillable : XSD_NILLABLE
    reference : '&'
    separator : ','
    separator : ';'"""
    p[0] = p[1]


# Headers. Apache's compiler wants them before the definitions; here they may stand anywhere, and the resolver warns.


def p_include(p: P) -> None:
    """include : INCLUDE LITERAL separator"""
    p[0] = ast.Include(p[1], p[2])


def p_cpp_include(p: P) -> None:
    """include : CPP_INCLUDE LITERAL separator"""
    p[0] = ast.CppInclude(p[1], p[2])


def p_namespace(p: P) -> None:
    """namespace : NAMESPACE IDENTIFIER IDENTIFIER annotations separator
    namespace : NAMESPACE '*' IDENTIFIER annotations separator"""
    p[0] = ast.Namespace(p[1], p[2], p[3])


def p_old_namespace(p: P) -> None:
    """namespace : OLD_NAMESPACE IDENTIFIER
    namespace : OLD_NAMESPACE LITERAL"""
    p[0] = ast.Namespace(p[1], None, p[2])


# Definitions


def p_typedef(p: P) -> None:
    """typedef : TYPEDEF type name annotations separator"""
    p[0] = ast.Typedef(p[1], p[2], p[3], p[4])


def p_const(p: P) -> None:
    """const : CONST type name '=' value separator"""
    p[0] = ast.Const(p[1], p[2], p[3], p[5])


def p_enum(p: P) -> None:
    """enum : ENUM name '{' members '}' annotations"""
    p[0] = ast.Enum(p[1], p[2], p[4], p[6])


def p_members(p: P) -> None:
    """members : members member
    fields : fields field
    functions : functions function
    annotation_items : annotation_items annotation"""
    p[1].append(p[2])
    p[0] = p[1]


def p_member(p: P) -> None:
    """member : name annotations separator"""
    p[0] = ast.EnumMember(p[1], None, p[2])


def p_member_with_value(p: P) -> None:
    """member : name '=' INTEGER annotations separator"""
    p[0] = ast.EnumMember(p[1], p[3], p[4])


def p_struct(p: P) -> None:
    """struct : struct_kind name xsd_all '{' fields '}' annotations"""
    p[0] = ast.Struct(p[1], p[2], p[5], p[7])


def p_exception(p: P) -> None:
    """struct : EXCEPTION name '{' fields '}' annotations"""
    p[0] = ast.Struct(p[1], p[2], p[4], p[6])


def p_field(p: P) -> None:
    """field : field_id requiredness type reference name default xsd annotations separator"""
    p[0] = ast.Field(p[1], p[2], p[3], p[5], p[6], p[8])


def p_field_id(p: P) -> None:
    """field_id : INTEGER ':'"""
    p[0] = p[1]


def p_default(p: P) -> None:
    """default : '=' value"""
    p[0] = p[2]


def p_xsd(p: P) -> None:
    """xsd : xsd_optional xsd_nillable xsd_attrs
    xsd_attrs : XSD_ATTRS '{' fields '}'"""
    p[0] = None


def p_service(p: P) -> None:
    """service : SERVICE name extends '{' functions '}' annotations"""
    p[0] = ast.Service(p[1], p[2], p[3], p[5], p[7])


def p_extends(p: P) -> None:
    """extends : EXTENDS IDENTIFIER"""
    p[0] = p[2]


def p_function(p: P) -> None:
    """function : oneway type name '(' fields ')' throws annotations separator"""
    p[0] = ast.Function(p[1], p[2], p[2].at, p[3], p[5], p[7], p[8])


def p_void_function(p: P) -> None:
    """function : oneway VOID name '(' fields ')' throws annotations separator"""
    p[0] = ast.Function(p[1], None, p[2].at, p[3], p[5], p[7], p[8])


def p_throws(p: P) -> None:
    """throws : THROWS '(' fields ')'"""
    p[0] = p[3]


# Types


def p_base_type(p: P) -> None:
    """base_type : base_name annotations
    container_type : container annotations"""
    p[0] = p[1]


def p_list_or_set(p: P) -> None:
    """container : SET cpp_type '<' type '>'
    container : LIST cpp_type '<' type '>'"""
    p[0] = ast.Container(p[1], None, p[4])


def p_list_with_cpp_type(p: P) -> None:
    """container : LIST cpp_type '<' type '>' CPP_TYPE LITERAL"""
    p[0] = ast.Container(p[1], None, p[4])
    p[0].trailing_cpp_type = p[6]


def p_map(p: P) -> None:
    """container : MAP cpp_type '<' type ',' type '>'"""
    p[0] = ast.Container(p[1], p[4], p[6])


def p_cpp_type(p: P) -> None:
    """cpp_type : CPP_TYPE LITERAL"""
    p[0] = p[2]


# Values


def p_integer(p: P) -> None:
    """value : INTEGER"""
    p[0] = ast.Scalar("INTEGER", p[1])


def p_real(p: P) -> None:
    """value : REAL"""
    p[0] = ast.Scalar("REAL", p[1])


def p_literal(p: P) -> None:
    """value : LITERAL"""
    p[0] = ast.Scalar("LITERAL", p[1])


def p_reference(p: P) -> None:
    """value : IDENTIFIER"""
    p[0] = ast.Scalar("IDENTIFIER", p[1])


def p_list_value(p: P) -> None:
    """list_value : '[' list_items ']'"""
    p[0] = ast.ListValue(p[1], p[2])


def p_list_items(p: P) -> None:
    """list_items : list_items value separator"""
    p[1].append(p[2])
    p[0] = p[1]


def p_map_value(p: P) -> None:
    """map_value : '{' map_items '}'"""
    p[0] = ast.MapValue(p[1], p[2])


def p_map_items(p: P) -> None:
    """map_items : map_items value ':' value separator"""
    p[1].append((p[2], p[4]))
    p[0] = p[1]


# Annotations


def p_annotations(p: P) -> None:
    """annotations : '(' annotation_items ')'"""
    p[0] = p[2]


def p_annotation(p: P) -> None:
    """annotation : IDENTIFIER separator"""
    p[0] = ast.Annotation(p[1], None)


def p_annotation_with_value(p: P) -> None:
    """annotation : IDENTIFIER '=' LITERAL separator"""
    p[0] = ast.Annotation(p[1], p[3])


# Python 3.13 takes the indentation off docstrings. Done for every version, ply's signature of the grammar is the same
# everywhere, and so are the stored tables.
for _name, _rule in list(globals().items()):
    if _name.startswith("p_") and _rule.__doc__:
        _rule.__doc__ = cleandoc(_rule.__doc__)
del _name, _rule
