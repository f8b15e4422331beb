const map<i32, i32> X = {1, 2}
