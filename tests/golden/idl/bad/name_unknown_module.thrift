struct A { 1: shraed.Point p }
