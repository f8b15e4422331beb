const string S = 'abc"
