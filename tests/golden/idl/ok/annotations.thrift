namespace py annotated (scope = "namespace")
cpp_include "<vector>"
typedef list<i32 (deep)> (a = "1") Numbers (b = "2")
struct S {
  1: string (format = "utf8") name (key, json.name = "n"),
  2: map<string, i32> (sorted) counts (a = "x" ; b = 'y' c)
} (final, since = "1.2")
enum E { A = 1 (old), B (new = "yes") } (flags)
exception X { 1: i32 a } (retryable)
union U { 1: i32 a } (u)
service V { void f(1: i32 a (arg)) (slow = "true"), i32 (unsigned) g() (x), } (v)
