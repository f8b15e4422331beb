namespace * everywhere
namespace py some.where
namespace cpp.noexist a.b
namespace py.twisted x
namespace java com.example.idl
