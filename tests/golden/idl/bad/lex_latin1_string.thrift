const string S = "café"
