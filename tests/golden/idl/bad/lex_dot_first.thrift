struct A { 1: .T t }
