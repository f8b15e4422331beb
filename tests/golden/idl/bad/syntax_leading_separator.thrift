enum E { , A }
