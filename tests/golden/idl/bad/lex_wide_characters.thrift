const string S = "漢字"  ~
