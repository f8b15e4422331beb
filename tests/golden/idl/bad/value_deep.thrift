const map<string, list<set<i32>>> X = {"k": [[1], [2, "three"]]}
