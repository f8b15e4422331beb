struct Tree { 1: i32 value, 2: Tree & left, 3: Tree& right }
typedef map cpp_type "std::unordered_map" <i32, i32> Hash
typedef set cpp_type "flat" <i32> Flat
struct Xsd xsd_all {
  1: i32 a xsd_optional,
  2: i32 b = 4 xsd_optional xsd_nillable xsd_attrs { 1: string lang } (note = "n")
}
union Xu xsd_all { 1: i32 a }
service S { void none(), void some() throws () }
struct Words { 1: i32 class, 2: i32 from, 3: i32 None, 4: i32 byte, 5: i32 async, 6: string uuid, 7: i32 package, 8: i32 stream, 9: i32 self }
