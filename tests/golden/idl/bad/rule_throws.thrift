struct S {}
enum E { A }
service V {
  void f() throws (1: S s)
  void g() throws (1: string t)
  void h() throws (1: E e)
  void i() throws (1: list<S> l)
}
