exception E {}
service S {
  oneway i32 f()
  oneway void g() throws (1: E e)
}
