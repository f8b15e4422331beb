enum E { A = B }
