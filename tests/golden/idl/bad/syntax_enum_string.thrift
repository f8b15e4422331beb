enum E { A = "one" }
