const bool A = True
const bool B = None
struct S { 1: string s = null }
