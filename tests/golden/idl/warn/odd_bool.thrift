const bool A = 7
